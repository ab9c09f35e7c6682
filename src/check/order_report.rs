//! How far an order of a history gets that no order explains, as plain data for a report.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use super::decoded::Decoded;
use super::linear::core::Core;
use super::linear::violation::{Stuck, shortened, shortened_text};
use super::linear::{HistoryEntry, Model, TypedHistory};
use crate::history::{History, Operation};

/// How many configurations may be visited in a run to find a small core: less than for a file of a history, as the run's
/// limits of CPU time go on.
pub(super) const CORE_BUDGET_IN_A_RUN: u64 = 400_000;

/// What is known about a history, or a part of one, that no order explains. It is made only of a run that is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReport {
    /// The check that the history breaks.
    pub(crate) check: String,
    /// The key of the part; empty if there is only one.
    pub(crate) part: String,
    /// Whether each operation must be ordered between its call and its return.
    pub(crate) keeps_real_time: bool,
    /// The operations of the part, in the order of their calls. All other numbers are places among these.
    pub(crate) operations: Vec<ReportedOperation>,
    /// The longest order of all of them.
    pub(crate) longest: LongestOrder,
    /// A few operations that no order explains.
    pub(crate) core: ReportedCore,
}

/// An operation of the part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportedOperation {
    /// Its place in the history of the run.
    pub(crate) place: usize,
    /// What was called, as the model has it.
    pub(crate) call: String,
    /// What it returned; `None` if its outcome is unknown.
    pub(crate) output: Option<String>,
}

/// An order that cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LongestOrder {
    /// The operations that are ordered, each with the state after it.
    pub(crate) steps: Vec<(usize, String)>,
    /// The state after all of them.
    pub(crate) state: String,
    /// The operations of which one must come next, and why none can.
    pub(crate) stuck: Vec<(usize, String)>,
}

/// Operations that suffice to show that no order explains the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportedCore {
    /// Those that cannot be ordered.
    pub(crate) kept: Vec<usize>,
    /// Those that may take effect late or never without changing that.
    pub(crate) loosened: Vec<usize>,
    /// The longest order of both; `None` if it was not found in time.
    pub(crate) longest: Option<LongestOrder>,
}

/// Where an order ends, as the checkers of linearizability and of sequential consistency have it.
pub(super) struct Ending<'a> {
    pub(super) order: &'a [usize],
    pub(super) state: &'a str,
    pub(super) stuck: &'a [Stuck],
}

/// Makes the report of a part of a history.
pub(super) struct Reporter<'a, M: Model> {
    model: &'a M,
    history: &'a TypedHistory<M::Op, M::Output>,
    /// The operations of the part, in the order of their calls.
    members: Vec<usize>,
    /// The place of each of them in this order.
    places: BTreeMap<usize, usize>,
}

impl<'a, M: Model> Reporter<'a, M> {
    pub(super) fn new(model: &'a M, history: &'a TypedHistory<M::Op, M::Output>, members: &[usize]) -> Self {
        let mut members = members.to_vec();
        members.sort_by_key(|index| (history.entries()[*index].call, *index));
        let places = members.iter().enumerate().map(|(place, index)| (*index, place)).collect();
        Reporter { model, history, members, places }
    }

    /// The report. `places` are those of the operations in the history of the run; `of_core` is where the longest order of
    /// the core ends.
    pub(super) fn report(
        &self,
        part: &str,
        places: &[usize],
        longest: &Ending<'_>,
        core: &Core,
        of_core: Option<&Ending<'_>>,
    ) -> OrderReport {
        let operation = |index: &usize| {
            let entry = &self.history.entries()[*index];
            let output = entry.ret.as_ref().map(|(_, output)| shortened(output));
            ReportedOperation { place: places[*index], call: shortened(&entry.op), output }
        };
        let all: Vec<usize> = (0..self.history.entries().len()).collect();
        let of_core = of_core.map(|ending| self.longest(ending, &core.indices(self.history), &core.loosened));
        OrderReport {
            check: String::new(),
            part: part.to_owned(),
            keeps_real_time: false,
            operations: self.members.iter().map(operation).collect(),
            longest: self.longest(longest, &all, &[]),
            core: ReportedCore {
                kept: self.placed(&core.kept),
                loosened: self.placed(&core.loosened),
                longest: of_core,
            },
        }
    }

    /// An order whose operations are given by their places among `indices`, with the states on the way. The outcomes of
    /// `loosened` operations are taken as unknown.
    fn longest(&self, ending: &Ending<'_>, indices: &[usize], loosened: &[usize]) -> LongestOrder {
        let mut states: BTreeMap<M::Key, M::State> = BTreeMap::new();
        let step = |place: &usize| {
            let index = *indices.get(*place)?;
            let entry = &self.history.entries()[index];
            let output = entry.ret.as_ref().map(|(_, output)| output).filter(|_| !loosened.contains(&index));
            let state = states.entry(self.model.key(&entry.op)).or_insert_with(|| self.model.init());
            if let Some(after) = self.model.step(state, &entry.op, output) {
                *state = after;
            }
            Some((self.place(index)?, shortened(state)))
        };
        let steps = ending.order.iter().filter_map(step).collect();
        let stuck = ending.stuck.iter().filter_map(|stuck| {
            let index = *indices.get(stuck.operation)?;
            Some((self.place(index)?, stuck.why.clone()))
        });
        LongestOrder { steps, state: shortened_text(ending.state), stuck: stuck.collect() }
    }

    fn place(&self, index: usize) -> Option<usize> {
        self.places.get(&index).copied()
    }

    fn placed(&self, indices: &[usize]) -> Vec<usize> {
        indices.iter().filter_map(|index| self.place(*index)).collect()
    }
}

/// The places in the history of a run of the operations that [`TypedHistory::of_run`] takes from it.
pub(super) fn places<Op, Output>(
    history: &History,
    read: impl Fn(&Operation) -> Decoded<(Op, Option<Output>)>,
) -> Vec<usize> {
    let taken = |operation: &Operation| matches!(HistoryEntry::of_run(operation, &read), Ok(Some(_)));
    let operations = history.operations.iter().enumerate();
    operations.filter(|(_, operation)| taken(operation)).map(|(place, _)| place).collect()
}

/// The report that is made; `None` if the model panics on the way, as it may for states that the history does not reach.
pub(super) fn made(make: impl FnOnce() -> OrderReport) -> Option<OrderReport> {
    catch_unwind(AssertUnwindSafe(make)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::linear::models::{Register, RegisterOp, RegisterOutput};
    use crate::check::{Check, is_linearizable, is_sequentially_consistent};
    use crate::fault::{millis, secs};
    use crate::history::Completion;
    use crate::trace::{HostId, Trace};

    /// An operation of a client that lasts 10 ms.
    fn operation(client: u32, name: &str, value: u64, at_ms: u64) -> Operation {
        Operation {
            host: HostId(0),
            client,
            life: 0,
            name: name.to_owned(),
            input: value.to_string(),
            invoked_at: millis(at_ms),
            completed: Some((millis(at_ms + 10), Completion::Ok(value.to_string()))),
        }
    }

    fn read(operation: &Operation) -> Decoded<(RegisterOp<u64>, Option<RegisterOutput<u64>>)> {
        Ok(match operation.name.as_str() {
            "read" => Some((RegisterOp::Read, operation.answer()?.map(RegisterOutput::Value))),
            "write" => Some((RegisterOp::Write(operation.input()?), Some(RegisterOutput::Done))),
            _ => None,
        })
    }

    fn reported(check: &Check, operations: Vec<Operation>) -> Option<OrderReport> {
        let trace = Trace::new(vec!["a".to_owned()], millis(10), secs(60), false);
        let history = History { operations };
        let (verdict, report) = check.judge_reporting(&trace, &history);
        assert_eq!(verdict, check.judge_counting(&trace, &history), "a report does not change the verdict");
        report
    }

    #[test]
    fn a_stale_read_is_reported_with_the_order_up_to_it() {
        let operations = vec![
            operation(0, "ping", 0, 0),
            operation(1, "write", 1, 20),
            operation(1, "read", 1, 40),
            operation(1, "write", 2, 60),
            operation(2, "read", 1, 80),
        ];
        let report = reported(&is_linearizable("register", Register::new(0), read), operations).expect("a report");
        assert_eq!((report.check.as_str(), report.part.as_str(), report.keeps_real_time), ("register", "", true));
        let places: Vec<usize> = report.operations.iter().map(|operation| operation.place).collect();
        assert_eq!(places, [1, 2, 3, 4], "what the check leaves out is left out");
        let states: Vec<&str> = report.longest.steps.iter().map(|(_, state)| state.as_str()).collect();
        assert_eq!((states, report.longest.state.as_str()), (vec!["1", "1", "2"], "2"));
        let why = "it cannot return Value(1) when the state is 2".to_owned();
        assert_eq!(report.longest.stuck, [(3, why)]);
        // The first read is not needed. Each write is, as one that took effect late would explain the other read.
        assert_eq!((report.core.kept.as_slice(), report.core.loosened.as_slice()), (&[0, 2, 3][..], &[][..]));
        let of_core = report.core.longest.expect("an order of the core");
        assert_eq!(of_core.stuck.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn an_order_without_real_time_is_reported_as_such() {
        let operations = vec![operation(1, "write", 1, 20), operation(1, "read", 0, 40)];
        let check = is_sequentially_consistent("register", Register::new(0), read);
        let report = reported(&check, operations).expect("a report");
        assert!(!report.keeps_real_time && report.longest.stuck.len() == 1, "{report:?}");
    }

    #[test]
    fn what_is_right_has_no_report_and_a_model_that_panics_has_none() {
        let operations = vec![operation(1, "write", 1, 20), operation(2, "read", 1, 40)];
        assert_eq!(reported(&is_linearizable("register", Register::new(0), read), operations), None);
        assert_eq!(made(|| panic!("a state that no history reaches")), None);
    }
}
