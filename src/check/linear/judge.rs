//! Judges histories part by part.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::core::{self, Attempt, Core, TYPICAL_COST, smallest};
use super::history::TypedHistory;
use super::model::Model;
use super::options::SearchOptions;
use super::prepared::Prepared;
use super::search::{self, SearchOutcome};
use super::violation::Violation;
use crate::check::order_report::{CORE_BUDGET_IN_A_RUN, Ending, OrderReport, Reporter, made, places};
use crate::check::{Check, CountedVerdict, Decoded, Verdict};
use crate::history::Operation;

/// The budget of a check in a run, which must stay within the run's limits of memory and CPU time.
const BUDGET_IN_A_RUN: u64 = 400_000;

/// How many configurations may be visited to find out how far an order gets.
const EXPLAINING_BUDGET: u64 = 400_000;

/// The result of judging a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The history is linearizable. For each part, this is an order that explains it, as positions in the history.
    /// Operations with unknown outcomes that are not in the order need not have taken effect.
    Linearizable(Vec<Vec<usize>>),
    /// The history is not linearizable.
    Violated(Box<Violation>),
    /// The search gave up after this many configurations.
    GaveUp(u64),
}

pub(crate) const NOTHING_RETURNED: &str = "no operation of the model returned: let the clients record some";

/// Judges a history. The verdict is unknown if the search gave up; a failure says how far an order gets and what cannot
/// come next.
pub fn linearizable<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>) -> Verdict {
    verdict(history, judge(model, history, &SearchOptions::default()))
}

pub(super) fn verdict<Op: Debug, Output: Debug>(history: &TypedHistory<Op, Output>, judgement: Judgement) -> Verdict {
    match judgement {
        Judgement::Linearizable(_) => Verdict::Pass,
        Judgement::Violated(violation) => Verdict::fail(violation.summary(history)),
        Judgement::GaveUp(configurations) => Verdict::Unknown(gave_up(configurations)),
    }
}

/// The reason of an unknown verdict when the search gave up.
pub(crate) fn gave_up(configurations: u64) -> String {
    format!("the search for an order gave up after {configurations} configurations")
}

/// Judges a history and returns the reason as data. Smaller parts are judged first, up to the first violation. Each
/// part may use an equal share of the budget that the parts before it left.
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
        let mut share_left = share;
        let prepared = Prepared::new(model, history.entries(), &members, options);
        let found = search::search(&prepared, options, &mut share_left);
        left -= share - share_left;
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

/// Finds the violation by a search without look-ahead, which never turns back early and so gets as far as any order
/// does. Returns `None` if that takes too long.
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

/// A scenario check: what its clients saw is linearizable. `read` returns what an operation called and its output, or
/// `Ok(None)` to leave the operation out; see [`TypedHistory::of_run`]. The verdict is unknown if the history is too hard
/// to judge within the limits of a run.
pub fn is_linearizable<M: Model + Send + Sync + 'static>(
    name: &str,
    model: M,
    read: impl Fn(&Operation) -> Decoded<(M::Op, Option<M::Output>)> + Send + Sync + 'static,
) -> Check {
    Check::with_report(name, move |history, is_reported| {
        let typed = match TypedHistory::of_run(history, &read) {
            Ok(typed) => typed,
            Err(unreadable) => return (unreadable.into(), None),
        };
        let options = SearchOptions { budget: BUDGET_IN_A_RUN, ..SearchOptions::default() };
        let judgement = judge(&model, &typed, &options);
        let (mut broke_at, mut report) = (None, None);
        if let Judgement::Violated(violation) = &judgement {
            // From the moment of this return on, no order explains what the clients saw.
            broke_at = typed.returned_at(violation.must_come);
            report = is_reported.then(|| made(|| violation.report(&model, &typed, &places(history, &read)))).flatten();
        }
        let verdict = CountedVerdict::about(verdict(&typed, judgement), typed.returned(), NOTHING_RETURNED);
        (verdict.at(broke_at.unwrap_or_default()), report)
    })
}

impl Violation {
    /// Finds operations that suffice to show the violation, by delta debugging that starts at the last returns.
    pub fn core<M: Model>(&self, model: &M, history: &TypedHistory<M::Op, M::Output>) -> Core {
        self.core_within(model, history, core::BUDGET)
    }

    fn core_within<M: Model>(&self, model: &M, history: &TypedHistory<M::Op, M::Output>, budget: u64) -> Core {
        smallest(model, history, &self.members, budget, |smaller, budget| {
            let options = SearchOptions { budget, ..SearchOptions::default() };
            match judge(model, smaller, &options) {
                Judgement::Violated(_) => Attempt { is_wrong: true, spent: TYPICAL_COST },
                Judgement::Linearizable(_) => Attempt { is_wrong: false, spent: TYPICAL_COST },
                Judgement::GaveUp(spent) => Attempt { is_wrong: false, spent },
            }
        })
    }

    /// The violation with its core, for a report. `places` are those of the operations in the history of the run.
    fn report<M: Model>(&self, model: &M, history: &TypedHistory<M::Op, M::Output>, places: &[usize]) -> OrderReport {
        let core = self.core_within(model, history, CORE_BUDGET_IN_A_RUN);
        let options = SearchOptions { budget: BUDGET_IN_A_RUN, ..SearchOptions::default() };
        let of_core = match judge(model, &core.history(history), &options) {
            Judgement::Violated(of_core) => Some(of_core),
            Judgement::Linearizable(_) | Judgement::GaveUp(_) => None,
        };
        let of_core = of_core.as_ref().map(|of_core| of_core.ending());
        let reporter = Reporter::new(model, history, &self.members);
        let report = reporter.report(&self.part, places, &self.ending(), &core, of_core.as_ref());
        OrderReport { keeps_real_time: true, ..report }
    }

    fn ending(&self) -> Ending<'_> {
        Ending { order: &self.order, state: &self.state, stuck: &self.stuck }
    }
}
