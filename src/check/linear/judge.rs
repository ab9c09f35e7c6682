//! Judges histories part by part.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::core::{Attempt, Core, USUAL, smallest};
use super::history::TypedHistory;
use super::model::Model;
use super::options::SearchOptions;
use super::prepared::Prepared;
use super::search::{self, SearchOutcome};
use super::violation::Violation;
use crate::check::{Check, Verdict};
use crate::history::Operation;

/// A run has its own limits of memory and CPU time, within which its checks must stay.
const BUDGET_IN_A_RUN: u64 = 400_000;

/// So many configurations may be visited to find out how far an order comes.
const EXPLAINING_BUDGET: u64 = 400_000;

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

pub(super) fn verdict<Op: Debug, Output: Debug>(history: &TypedHistory<Op, Output>, judgement: Judgement) -> Verdict {
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

impl Violation {
    /// Finds operations that suffice to make this history wrong, by delta debugging from the last returns on.
    pub fn core<M: Model>(&self, model: &M, history: &TypedHistory<M::Op, M::Output>) -> Core {
        smallest(model, history, &self.members, |smaller, budget| {
            let options = SearchOptions { budget, ..SearchOptions::default() };
            match judge(model, smaller, &options) {
                Judgement::Violated(_) => Attempt { is_wrong: true, spent: USUAL },
                Judgement::Linearizable(_) => Attempt { is_wrong: false, spent: USUAL },
                Judgement::GaveUp(spent) => Attempt { is_wrong: false, spent },
            }
        })
    }
}
