//! Histories as the checkers read them: who called what and when it returned, by one global counter of events. They know
//! nothing of models.

use std::collections::BTreeMap;

use crate::history::{Completion, History as RunHistory, Operation};

/// One operation: its interval is closed, `call` and `ret` belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry<Op, Output> {
    /// Who called. It names the operation for a reader; it orders nothing.
    pub process: u64,
    /// The event of its call.
    pub call: u64,
    /// The event of its return, with what it returned. None if its outcome is unknown: it may take effect at any time
    /// after its call, or never.
    pub ret: Option<(u64, Output)>,
    /// What was called.
    pub op: Op,
}

/// Why something is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHistory {
    /// A process calls although its call before has not returned.
    #[error("process {0} calls although its call before has not returned")]
    TwoCalls(u64),
    /// A process returns without a call.
    #[error("process {0} returns although it has no call open")]
    NoCall(u64),
    /// An operation returns before its call.
    #[error("operation {0} returns before its call")]
    Backwards(usize),
}

/// Operations whose calls and returns are numbered by one global counter, however many processes there are. Two events
/// with the same number are concurrent: there, calls come before returns. Times of clocks that may differ must not be
/// used as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedHistory<Op, Output> {
    entries: Vec<HistoryEntry<Op, Output>>,
    open: BTreeMap<u64, usize>,
    events: u64,
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
    /// If an operation returns before its call.
    pub fn from_entries(entries: Vec<HistoryEntry<Op, Output>>) -> Result<Self, InvalidHistory> {
        let is_backwards =
            |entry: &HistoryEntry<Op, Output>| entry.ret.as_ref().is_some_and(|(ret, _)| *ret < entry.call);
        match entries.iter().position(is_backwards) {
            Some(index) => Err(InvalidHistory::Backwards(index)),
            None => Ok(Self::of_entries(entries)),
        }
    }

    /// The next event: a process calls.
    ///
    /// # Errors
    /// If its call before has not returned.
    pub fn call(&mut self, process: u64, op: Op) -> Result<(), InvalidHistory> {
        if self.open.contains_key(&process) {
            return Err(InvalidHistory::TwoCalls(process));
        }
        self.open.insert(process, self.entries.len());
        let call = self.event();
        self.entries.push(HistoryEntry { process, call, ret: None, op });
        Ok(())
    }

    /// The next event: a process returns.
    ///
    /// # Errors
    /// If it has no call open.
    pub fn ret(&mut self, process: u64, output: Output) -> Result<(), InvalidHistory> {
        let index = self.open.remove(&process).ok_or(InvalidHistory::NoCall(process))?;
        let ret = self.event();
        self.entries[index].ret = Some((ret, output));
        Ok(())
    }

    /// A process gives up waiting: the outcome of its operation is unknown.
    ///
    /// # Errors
    /// If it has no call open.
    pub fn give_up(&mut self, process: u64) -> Result<(), InvalidHistory> {
        self.open.remove(&process).map(|_| ()).ok_or(InvalidHistory::NoCall(process))
    }

    /// A process learns that its operation had no effect and told it nothing: the operation is left out.
    ///
    /// # Errors
    /// If it has no call open.
    pub fn take_back(&mut self, process: u64) -> Result<(), InvalidHistory> {
        let index = self.open.remove(&process).ok_or(InvalidHistory::NoCall(process))?;
        self.entries.remove(index);
        for other in self.open.values_mut().filter(|other| **other > index) {
            *other -= 1;
        }
        Ok(())
    }

    /// What a process has called, if its call has not returned.
    pub fn open_call(&self, process: u64) -> Option<&Op> {
        self.open.get(&process).map(|index| &self.entries[*index].op)
    }

    /// The operations in the order of their calls, or as they were given.
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

    /// The history that the clients of a run saw. `read` gives what an operation called and what it learnt, or none if
    /// the operation is to be left out. What learnt nothing is left out if it was refused, and unknown otherwise.
    ///
    /// A run has one virtual time for all hosts, whatever their clocks show; what happens at the same time is concurrent.
    pub fn of_run(history: &RunHistory, read: impl Fn(&Operation) -> Option<(Op, Option<Output>)>) -> Self {
        let number = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut entries = Vec::new();
        for operation in &history.operations {
            let Some((op, output)) = read(operation) else { continue };
            let ret = match (&operation.completed, output) {
                (Some((_, Completion::Fail(_))), None) => continue,
                (Some((at, _)), Some(output)) => Some((number(*at).max(number(operation.invoked_at)), output)),
                (Some(_), None) | (None, _) => None,
            };
            let process = u64::from(operation.host.0) << 32 | u64::from(operation.client);
            entries.push(HistoryEntry { process, call: number(operation.invoked_at), ret, op });
        }
        Self::of_entries(entries)
    }
}
