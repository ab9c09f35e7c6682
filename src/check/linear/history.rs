//! Typed histories: which process called what, and when it returned, numbered by one global counter of events.

use std::collections::BTreeMap;

use crate::check::decoded::{Decoded, Unreadable, decode};
use crate::history::{Completion, History as RunHistory, Operation};

/// One operation. Its interval is closed: it includes `call` and `ret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry<Op, Output> {
    /// The process that called. Linearizability ignores it; sequential consistency keeps the order of each process.
    pub process: u64,
    /// The number of its call.
    pub call: u64,
    /// The number of its return, with its output. `None` if its outcome is unknown: it may take effect at any time
    /// after its call, or never.
    pub ret: Option<(u64, Output)>,
    /// The operation that was called.
    pub op: Op,
}

/// Why a sequence of events is not a history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHistory {
    /// A process calls before its previous call has returned.
    #[error("process {0} calls before its previous call has returned")]
    TwoCalls(u64),
    /// A process returns without an open call.
    #[error("process {0} returns although it has no open call")]
    NoCall(u64),
    /// An operation returns before its call.
    #[error("operation {0} returns before its call")]
    Backwards(usize),
}

/// Operations whose calls and returns are numbered by one counter that all processes share. Two events with the same
/// number are concurrent, and calls come before returns. Do not number events by times of clocks that may differ.
///
/// ```
/// use squall::check::Verdict;
/// use squall::check::linear::models::{Register, RegisterOp, RegisterOutput};
/// use squall::check::linear::{TypedHistory, linearizable};
///
/// let mut history = TypedHistory::new();
/// history.call(1, RegisterOp::Write(7)).unwrap();
/// history.ret(1, RegisterOutput::Done).unwrap();
/// // Another process reads what was there before.
/// history.call(2, RegisterOp::Read).unwrap();
/// history.ret(2, RegisterOutput::Value(0)).unwrap();
/// assert!(matches!(linearizable(&Register::new(0), &history), Verdict::Fail(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedHistory<Op, Output> {
    entries: Vec<HistoryEntry<Op, Output>>,
    open: BTreeMap<u64, usize>,
    events: u64,
}

impl<Op, Output> HistoryEntry<Op, Output> {
    /// The entry of an operation of a run; `None` if it is left out (see [`TypedHistory::of_run`]).
    pub(in crate::check) fn of_run(
        operation: &Operation,
        read: impl Fn(&Operation) -> Decoded<(Op, Option<Output>)>,
    ) -> Result<Option<Self>, Unreadable> {
        let number = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let Some((op, output)) = decode(operation, &read)? else { return Ok(None) };
        let ret = match (&operation.completed, output) {
            (Some((_, Completion::Ok(_))), None) => {
                return Err(Unreadable::new(operation, "it was acknowledged, but the decoder returned no output"));
            }
            (Some((_, Completion::Fail(_))), None) => return Ok(None),
            (Some((at, _)), Some(output)) => Some((number(*at).max(number(operation.invoked_at)), output)),
            (Some(_), None) | (None, _) => None,
        };
        Ok(Some(HistoryEntry { process: operation.session(), call: number(operation.invoked_at), ret, op }))
    }
}

impl<Op, Output> Default for TypedHistory<Op, Output> {
    fn default() -> Self {
        TypedHistory { entries: Vec::new(), open: BTreeMap::new(), events: 0 }
    }
}

impl<Op, Output> TypedHistory<Op, Output> {
    /// An empty history, to be filled event by event.
    pub fn new() -> Self {
        Self::default()
    }

    /// A history of operations with numbered events, in any order.
    ///
    /// # Errors
    /// Fails if an operation returns before its call.
    pub fn from_entries(entries: Vec<HistoryEntry<Op, Output>>) -> Result<Self, InvalidHistory> {
        let is_backwards =
            |entry: &HistoryEntry<Op, Output>| entry.ret.as_ref().is_some_and(|(ret, _)| *ret < entry.call);
        match entries.iter().position(is_backwards) {
            Some(index) => Err(InvalidHistory::Backwards(index)),
            None => Ok(Self::of_entries(entries)),
        }
    }

    /// Adds the next event: a process calls.
    ///
    /// # Errors
    /// Fails if the previous call of the process has not returned.
    pub fn call(&mut self, process: u64, op: Op) -> Result<(), InvalidHistory> {
        if self.open.contains_key(&process) {
            return Err(InvalidHistory::TwoCalls(process));
        }
        self.open.insert(process, self.entries.len());
        let call = self.event();
        self.entries.push(HistoryEntry { process, call, ret: None, op });
        Ok(())
    }

    /// Adds the next event: a process returns.
    ///
    /// # Errors
    /// Fails if the process has no open call.
    pub fn ret(&mut self, process: u64, output: Output) -> Result<(), InvalidHistory> {
        let index = self.open.remove(&process).ok_or(InvalidHistory::NoCall(process))?;
        let ret = self.event();
        self.entries[index].ret = Some((ret, output));
        Ok(())
    }

    /// Ends the open call of a process that gave up waiting: the outcome of its operation is unknown.
    ///
    /// # Errors
    /// Fails if the process has no open call.
    pub fn give_up(&mut self, process: u64) -> Result<(), InvalidHistory> {
        self.open.remove(&process).map(|_| ()).ok_or(InvalidHistory::NoCall(process))
    }

    /// Removes the open call of a process, which learnt that its operation had no effect and got no output.
    ///
    /// # Errors
    /// Fails if the process has no open call.
    pub fn fail(&mut self, process: u64) -> Result<(), InvalidHistory> {
        let index = self.open.remove(&process).ok_or(InvalidHistory::NoCall(process))?;
        self.entries.remove(index);
        for other in self.open.values_mut().filter(|other| **other > index) {
            *other -= 1;
        }
        Ok(())
    }

    /// The operation of a process's open call; `None` if it has none.
    pub fn open_call(&self, process: u64) -> Option<&Op> {
        self.open.get(&process).map(|index| &self.entries[*index].op)
    }

    /// The operations in the order of their calls, or in the order in which they were given.
    pub fn entries(&self) -> &[HistoryEntry<Op, Output>] {
        &self.entries
    }

    /// A history of operations that are known to return after their calls.
    pub(super) fn of_entries(entries: Vec<HistoryEntry<Op, Output>>) -> Self {
        let last = entries.iter().map(|entry| entry.ret.as_ref().map_or(entry.call, |(ret, _)| *ret)).max();
        TypedHistory { entries, open: BTreeMap::new(), events: last.map_or(0, |last| last.saturating_add(1)) }
    }

    fn event(&mut self) -> u64 {
        self.events += 1;
        self.events - 1
    }

    /// The history that the clients of a run saw. `read` returns what an operation called and its output, or `Ok(None)`
    /// to leave the operation out. An operation without an output is left out if it was refused; otherwise its outcome
    /// is unknown. An acknowledged operation needs an output.
    ///
    /// A run has one virtual time for all hosts, whatever their clocks show; events at the same time are concurrent.
    ///
    /// # Errors
    /// Fails with the first operation that `read` cannot decode, or that was acknowledged but has no output.
    pub fn of_run(
        history: &RunHistory,
        read: impl Fn(&Operation) -> Decoded<(Op, Option<Output>)>,
    ) -> Result<Self, Unreadable> {
        let entries =
            history.operations.iter().filter_map(|operation| HistoryEntry::of_run(operation, &read).transpose());
        Ok(Self::of_entries(entries.collect::<Result<_, _>>()?))
    }

    /// When an operation returned, if the events are numbered by the virtual time of a run.
    pub(crate) fn returned_at(&self, index: usize) -> Option<std::time::Duration> {
        let (ret, _) = self.entries.get(index)?.ret.as_ref()?;
        Some(std::time::Duration::from_nanos(*ret))
    }

    /// The number of operations that returned; the others can take effect at any time, so they break nothing.
    pub(crate) fn returned(&self) -> u64 {
        self.entries.iter().filter(|entry| entry.ret.is_some()).count() as u64
    }
}
