//! Linearizability: whether one order of all operations, each at a moment between its call and its return, explains what
//! all clients saw. It knows histories and models, and nothing of runs.
//!
//! The question is that of Herlihy and Wing. The search is Wing and Gong's (*Testing and Verifying Concurrent Objects*,
//! 1993) with what was found since: Lowe's memory of the configurations that were visited, and his search from return to
//! return (*Testing for Linearizability*, 2017), Horn and Kroening's parts that are judged alone (*Faster linearizability
//! checking via P-compositionality*, 2015), and a model in the manner of
//! [porcupine](https://github.com/anishathalye/porcupine), whose `step` is pure. The rest is in `search`.
//!
//! ```
//! use squall::check::linear::models::{Register, RegisterOp, RegisterOutput};
//! use squall::check::linear::{TypedHistory, linearizable};
//!
//! let mut history = TypedHistory::new();
//! history.call(1, RegisterOp::Write("tea"))?;
//! history.call(2, RegisterOp::Read)?;
//! history.ret(2, RegisterOutput::Value("tea"))?;
//! history.ret(1, RegisterOutput::Done)?;
//! assert!(linearizable(&Register::new("water"), &history).is_pass());
//!
//! history.call(2, RegisterOp::Read)?;
//! history.ret(2, RegisterOutput::Value("water"))?;
//! assert!(linearizable(&Register::new("water"), &history).is_fail());
//! # Ok::<(), squall::check::linear::InvalidHistory>(())
//! ```

pub(super) mod core;
mod history;
mod look_ahead;
pub mod models;
mod prepared;
pub mod queue;
pub mod read;
mod search;
pub(super) mod table;
pub(super) mod violation;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

pub use self::core::Core;
pub use history::{HistoryEntry, InvalidHistory, TypedHistory};
pub use violation::{Stuck, Violation};

use self::prepared::Prepared;
use self::search::SearchOutcome;
use super::{Check, Verdict};
use crate::history::Operation;

/// What a sequential object does. All functions are pure: they depend on their arguments alone.
pub trait Model {
    /// What the object, or one part of it, remembers.
    type State: Clone + Eq + Hash + Debug;
    /// What is called.
    type Op: Clone + Eq + Hash + Debug;
    /// What a call returns.
    type Output: Clone + Eq + Hash + Debug;
    /// The name of a part of the object that no operation on another part touches; `()` if there is only one.
    type Key: Ord + Debug;

    /// The part that an operation is about. Parts are judged one by one, which is much less work.
    fn key(&self, op: &Self::Op) -> Self::Key;

    /// What each part remembers at first.
    fn init(&self) -> Self::State;

    /// What the object remembers after `op`, or none if `op` cannot return this output in this state. Without an output,
    /// what it remembers after `op`, whatever that returned; none if `op` cannot take effect in this state. Both must
    /// agree: where an output is possible, it leads to the same state as no output.
    fn step(&self, state: &Self::State, op: &Self::Op, output: Option<&Self::Output>) -> Option<Self::State>;

    /// Whether `op` with this output leaves every state as it was: a read, a compare-and-set that failed. Saying `false`
    /// is always right, and slower.
    fn is_observer(&self, _op: &Self::Op, _output: Option<&Self::Output>) -> bool {
        false
    }

    /// The only state in which `op` can return this output; none if it can in several, or if that is not known. With
    /// [`leads_to`](Model::leads_to) and [`may_grow`](Model::may_grow), the search sees early that a state which is
    /// still needed cannot come again.
    fn needs(&self, _op: &Self::Op, _output: &Self::Output) -> Option<Self::State> {
        None
    }

    /// The only state that `op` can leave where it changes something, whatever it returns; none if it depends.
    fn leads_to(&self, _op: &Self::Op) -> Option<Self::State> {
        None
    }

    /// Whether operations for which [`leads_to`](Model::leads_to) gives none may lead from one state to another. Saying
    /// `true` is always right.
    fn may_grow(&self, _from: &Self::State, _to: &Self::State) -> bool {
        true
    }

    /// Whether `op` can return this output in this state. To be written anew where [`step`](Model::step) copies much.
    fn allows(&self, state: &Self::State, op: &Self::Op, output: &Self::Output) -> bool {
        self.step(state, op, Some(output)).is_some()
    }
}

/// Which shortcuts the search takes, and when it gives up. No shortcut changes a verdict; they can be switched off to
/// prove that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchOptions {
    /// Observers are ordered as soon as they are possible, and never tried otherwise.
    pub observers_at_once: bool,
    /// Of pending operations with the same effect, only the one that must return first is tried.
    pub one_of_equals: bool,
    /// Unknown operations are tried only where they change the state.
    pub only_changes: bool,
    /// A configuration with more unknown operations used than one that failed is not tried.
    pub skip_supersets: bool,
    /// A configuration from which a state that is needed soon cannot come is not tried.
    pub look_ahead: bool,
    /// After so many configurations, of all parts together, the answer is unknown. One takes some 50 bytes, and the
    /// states come on top.
    pub budget: u64,
}

/// A run has its own limits of memory and CPU time, within which its checks must stay.
const BUDGET_IN_A_RUN: u64 = 400_000;

/// So many configurations may be visited to find out how far an order comes.
const EXPLAINING_BUDGET: u64 = 400_000;

impl Default for SearchOptions {
    fn default() -> SearchOptions {
        SearchOptions {
            observers_at_once: true,
            one_of_equals: true,
            only_changes: true,
            skip_supersets: true,
            look_ahead: true,
            budget: 4_000_000,
        }
    }
}

/// What is known of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is linearizable: for each part, an order that explains it, as positions in the history. Operations with
    /// unknown outcomes that are not in it need not have taken effect.
    Linearizable(Vec<Vec<usize>>),
    /// It is not.
    Violated(Box<Violation>),
    /// The search gave up after so many configurations.
    GaveUp(u64),
}

/// Judges a history: passed if it is linearizable, failed if not (the words say how far an order comes and what cannot
/// come next), unknown if the search gave up.
pub fn linearizable<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>) -> Verdict {
    verdict(history, judge(model, history, &SearchOptions::default()))
}

fn verdict<Op: Debug, Output: Debug>(history: &TypedHistory<Op, Output>, judgement: Judgement) -> Verdict {
    match judgement {
        Judgement::Linearizable(_) => Verdict::Pass,
        Judgement::Violated(violation) => Verdict::Fail(violation.summary(history)),
        Judgement::GaveUp(configurations) => Verdict::Unknown(gave_up(configurations)),
    }
}

/// How it reads when the search gave up.
pub(crate) fn gave_up(configurations: u64) -> String {
    format!("the search for an order gave up after {configurations} configurations")
}

/// Judges a history and says why, as data. Of parts, the smallest are judged first, and the first that is violated ends
/// it; each may use an equal share of what the ones before it left of the budget.
pub fn judge<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>, options: &SearchOptions) -> Judgement {
    let mut parts: BTreeMap<M::Key, Vec<usize>> = BTreeMap::new();
    for (index, entry) in history.entries().iter().enumerate() {
        parts.entry(model.key(&entry.op)).or_default().push(index);
    }
    let mut parts: Vec<_> = parts.into_iter().collect();
    let is_only_part = parts.len() == 1;
    // The sort is stable: equally large parts are judged in the order of their keys.
    parts.sort_by_key(|(_, members)| members.len());
    let mut orders = Vec::new();
    let mut left = options.budget;
    let mut has_given_up = false;
    let count = parts.len();
    for (number, (key, members)) in parts.into_iter().enumerate() {
        // An equal share of what is left: one part that is too hard must not hide that another is violated.
        let share = left / (count - number) as u64;
        let mut of_share = share;
        let prepared = Prepared::new(model, history.entries(), &members, options);
        let found = search::search(&prepared, options, &mut of_share);
        left -= share - of_share;
        match found {
            SearchOutcome::Order(order) => orders.push(order),
            SearchOutcome::None(furthest) => {
                let part = if is_only_part { String::new() } else { format!("{key:?}") };
                if let Some(violation) = without_look_ahead(model, history, options, &part, &members) {
                    return Judgement::Violated(Box::new(violation));
                }
                return Judgement::Violated(Box::new(Violation::new(&prepared, part, members.clone(), furthest)));
            }
            SearchOutcome::GaveUp => has_given_up = true,
        }
    }
    if has_given_up { Judgement::GaveUp(options.budget - left) } else { Judgement::Linearizable(orders) }
}

/// The violation as a search sees it that never turns back early, and so comes as far as any order does; none if that
/// takes too long.
fn without_look_ahead<M: Model>(
    model: &M,
    history: &TypedHistory<M::Op, M::Output>,
    options: &SearchOptions,
    part: &str,
    members: &[usize],
) -> Option<Violation> {
    let options = SearchOptions { look_ahead: false, ..options.clone() };
    let prepared = Prepared::new(model, history.entries(), members, &options);
    match search::search(&prepared, &options, &mut EXPLAINING_BUDGET.min(options.budget)) {
        SearchOutcome::None(furthest) => {
            let found = Violation::new(&prepared, part.to_owned(), members.to_vec(), furthest);
            Some(Violation { is_exhaustive: true, ..found })
        }
        SearchOutcome::Order(_) | SearchOutcome::GaveUp => None,
    }
}

/// A check of a scenario: what its clients saw is linearizable. `read` gives what an operation called and what it learnt,
/// or none if the operation is to be left out; see [`TypedHistory::of_run`]. A history that is too hard to judge within the
/// limits of a run is unknown.
pub fn is_linearizable<M: Model + Send + Sync + 'static>(
    name: &str,
    model: M,
    read: impl Fn(&Operation) -> Option<(M::Op, Option<M::Output>)> + Send + Sync + 'static,
) -> Check {
    Check::new(name, move |_, history| {
        let history = TypedHistory::of_run(history, &read);
        verdict(
            &history,
            judge(&model, &history, &SearchOptions { budget: BUDGET_IN_A_RUN, ..SearchOptions::default() }),
        )
    })
}
