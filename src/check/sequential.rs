//! Sequential consistency: whether one order of all operations, which keeps the order of each client, explains what all
//! clients saw. Real time does not constrain the order.
//!
//! The property is Lamport's (*How to Make a Multiprocessor Computer That Correctly Executes Multiprocess Programs*,
//! 1979). Deciding it is NP-complete even for one register (Gibbons and Korach, *Testing Shared Memories*, 1997), and
//! it is not local: two keys may each be consistent although both together are not (Herlihy and Wing, 1990). So all
//! keys are searched together, and the checker is for small histories; on larger ones it may give up.
//!
//! ```
//! use squall::check::linear::TypedHistory;
//! use squall::check::linear::models::{Register, RegisterOp, RegisterOutput};
//! use squall::check::sequential::sequentially_consistent;
//!
//! let mut history = TypedHistory::new();
//! history.call(1, RegisterOp::Write("tea"))?;
//! history.ret(1, RegisterOutput::Done)?;
//! // A stale read by another client is not linearizable, but it is sequentially consistent.
//! history.call(2, RegisterOp::Read)?;
//! history.ret(2, RegisterOutput::Value("water"))?;
//! assert!(sequentially_consistent(&Register::new("water"), &history).is_pass());
//! // A stale read by the writer itself is not.
//! history.call(1, RegisterOp::Read)?;
//! history.ret(1, RegisterOutput::Value("water"))?;
//! assert!(sequentially_consistent(&Register::new("water"), &history).is_fail());
//! # Ok::<(), squall::check::linear::InvalidHistory>(())
//! ```

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::linear::core::{self, Attempt, Core, smallest};
use super::linear::table::Interner;
use super::linear::violation::{Stuck, describe, shortened, shortened_text};
use super::linear::{Model, NOTHING_RETURNED, TypedHistory, gave_up};
use super::order_report::{CORE_BUDGET_IN_A_RUN, Ending, OrderReport, Reporter, made, places};
use super::{Check, CountedVerdict, Decoded, Verdict};
use crate::history::Operation;

/// The default budget: after this many configurations, the verdict is unknown. Each takes about 200 bytes.
pub const BUDGET: u64 = 400_000;

/// The result of judging a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// This order explains the history, as positions in it. Operations with unknown outcomes that are not in the order
    /// need not have taken effect.
    Consistent(Vec<usize>),
    /// No order explains the history.
    Violated(Box<Violation>),
    /// The search gave up after this many configurations.
    GaveUp(u64),
}

/// How far an order gets, and which operations cannot come next. Operations are positions in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The longest order: no other order contains more operations that returned.
    pub order: Vec<usize>,
    /// The state of the object after it: each part that differs from its initial state.
    pub state: String,
    /// The next operations of all clients, and why none of them can come next.
    pub stuck: Vec<Stuck>,
}

impl Violation {
    /// Describes the violation in one line.
    pub fn summary<Op: Debug, Output: Debug>(&self, history: &TypedHistory<Op, Output>) -> String {
        let next: Vec<_> = self.stuck.iter().filter_map(|stuck| history.entries().get(stuck.operation)).collect();
        let (ordered, state) = (self.order.len(), shortened_text(&self.state));
        let next = next.into_iter().map(describe).collect::<Vec<_>>().join(", ");
        format!(
            "not sequentially consistent: after {ordered} operations the state is {state}; \
             none of these can come next: {next}"
        )
    }

    /// Describes the violation in several lines: the order, what cannot come next and why, and the operations that
    /// suffice to show the violation.
    pub fn text<Op: Debug, Output: Debug>(&self, history: &TypedHistory<Op, Output>, core: Option<&Core>) -> String {
        let line = |index: &usize| history.entries().get(*index).map(describe).unwrap_or_default();
        let mut lines = vec![self.summary(history), format!("the longest order, {} operations:", self.order.len())];
        lines.extend(self.order.iter().map(|index| format!("  {}", line(index))));
        lines.push(format!("  then the state is {}", self.state));
        lines.push("the next operations of all clients, none of which can come next:".to_owned());
        lines.extend(self.stuck.iter().map(|stuck| format!("  {}: {}", line(&stuck.operation), stuck.why)));
        if let Some(core) = core {
            lines.extend(core.lines(line));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Finds operations that suffice to show the violation; see [`Core`].
    pub fn core<M: Model>(&self, model: &M, history: &TypedHistory<M::Op, M::Output>) -> Core {
        self.core_within(model, history, core::BUDGET)
    }

    fn core_within<M: Model>(&self, model: &M, history: &TypedHistory<M::Op, M::Output>, budget: u64) -> Core {
        let members: Vec<usize> = (0..history.entries().len()).collect();
        smallest(model, history, &members, budget, |smaller, budget| {
            let mut left = budget;
            let is_wrong = matches!(Search::new(model, smaller).run(&mut left), Judgement::Violated(_));
            Attempt { is_wrong, spent: budget - left + 1 }
        })
    }

    /// The violation with its core, for a report. `places` are those of the operations in the history of the run.
    fn report<M: Model>(&self, model: &M, history: &TypedHistory<M::Op, M::Output>, places: &[usize]) -> OrderReport {
        let members: Vec<usize> = (0..history.entries().len()).collect();
        let core = self.core_within(model, history, CORE_BUDGET_IN_A_RUN);
        let of_core = match judge(model, &core.history(history), BUDGET) {
            Judgement::Violated(of_core) => Some(of_core),
            Judgement::Consistent(_) | Judgement::GaveUp(_) => None,
        };
        let of_core = of_core.as_ref().map(|of_core| of_core.ending());
        Reporter::new(model, history, &members).report("", places, &self.ending(), &core, of_core.as_ref())
    }

    fn ending(&self) -> Ending<'_> {
        Ending { order: &self.order, state: &self.state, stuck: &self.stuck }
    }
}

/// Judges a small history. The verdict is unknown if the search gave up; a failure says how far an order gets and what
/// cannot come next.
pub fn sequentially_consistent<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>) -> Verdict {
    verdict(history, &judge(model, history, BUDGET))
}

fn verdict<Op: Debug, Output: Debug>(history: &TypedHistory<Op, Output>, judgement: &Judgement) -> Verdict {
    match judgement {
        Judgement::Consistent(_) => Verdict::Pass,
        Judgement::Violated(violation) => Verdict::fail(violation.summary(history)),
        Judgement::GaveUp(configurations) => Verdict::Unknown(gave_up(*configurations)),
    }
}

/// Judges a history and returns the reason as data; gives up after `budget` configurations.
///
/// An operation comes before another one of the same process if it was called first and returned no later than the
/// other one was called. An operation with an unknown outcome takes effect at any time after those before it, or never;
/// no other operation has to wait for it.
pub fn judge<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>, budget: u64) -> Judgement {
    Search::new(model, history).run(&mut { budget })
}

/// A scenario check: what its clients saw is sequentially consistent. `read` is as in
/// [`is_linearizable`](super::is_linearizable).
pub fn is_sequentially_consistent<M: Model + Send + Sync + 'static>(
    name: &str,
    model: M,
    read: impl Fn(&Operation) -> Decoded<(M::Op, Option<M::Output>)> + Send + Sync + 'static,
) -> Check {
    Check::with_report(name, move |history, is_reported| {
        let typed = match TypedHistory::of_run(history, &read) {
            Ok(typed) => typed,
            Err(unreadable) => return (unreadable.into(), None),
        };
        let judgement = judge(&model, &typed, BUDGET);
        let (mut broke_at, mut report) = (None, None);
        if let Judgement::Violated(violation) = &judgement {
            // When the last of the operations has returned of which none can come next.
            broke_at = violation.stuck.iter().filter_map(|stuck| typed.returned_at(stuck.operation)).max();
            report = is_reported.then(|| made(|| violation.report(&model, &typed, &places(history, &read)))).flatten();
        }
        let verdict = CountedVerdict::about(verdict(&typed, &judgement), typed.returned(), NOTHING_RETURNED);
        (verdict.at(broke_at.unwrap_or_default()), report)
    })
}

/// The set of ordered operations, with one bit for each operation.
type Ordered = Box<[u64]>;

fn is_set(bits: &[u64], index: usize) -> bool {
    bits[index / 64] >> (index % 64) & 1 == 1
}

fn set(bits: &mut [u64], index: usize) {
    bits[index / 64] |= 1 << (index % 64);
}

/// A configuration, and how much has been tried from it.
#[derive(Clone, Default)]
struct Frame {
    ordered: Ordered,
    /// The state of each part, interned.
    states: Box<[u32]>,
    /// How many operations are ordered.
    length: usize,
    /// How many of them returned.
    returned: usize,
    /// Places in `sequence` below this one have been tried.
    next: usize,
}

struct Search<'a, M: Model> {
    model: &'a M,
    history: &'a TypedHistory<M::Op, M::Output>,
    /// The part that each operation concerns.
    parts: Vec<usize>,
    keys: Vec<M::Key>,
    /// For each operation, the operations that its client completed before it.
    before: Vec<Ordered>,
    /// The operations in the order in which they are tried: those that returned, ordered by their returns, then the
    /// unknown ones. If the history is nearly linearizable, this is close to the order that the search looks for.
    sequence: Vec<usize>,
    /// How many operations returned.
    returned: usize,
    states: Interner<M::State>,
    visited: Interner<(Ordered, Box<[u32]>)>,
    frames: Vec<Frame>,
    order: Vec<usize>,
    /// The configuration with the most ordered operations that returned, and their order.
    best: Option<(Frame, Vec<usize>)>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, history: &'a TypedHistory<M::Op, M::Output>) -> Search<'a, M> {
        let entries = history.entries();
        let mut numbers: BTreeMap<M::Key, usize> = BTreeMap::new();
        for entry in entries {
            numbers.entry(model.key(&entry.op)).or_default();
        }
        numbers.values_mut().enumerate().for_each(|(number, part)| *part = number);
        let ret = |index: &usize| entries[*index].ret.as_ref().map(|(ret, _)| *ret);
        // An observer without an output constrains nothing.
        let is_irrelevant = |index: &usize| ret(index).is_none() && model.is_observer(&entries[*index].op, None);
        let mut sequence: Vec<usize> = (0..entries.len()).filter(|index| !is_irrelevant(index)).collect();
        sequence.sort_by_key(|index| (ret(index).is_none(), ret(index), entries[*index].call, *index));
        Search {
            model,
            history,
            parts: entries
                .iter()
                .map(|entry| numbers.get(&model.key(&entry.op)).copied().unwrap_or_default())
                .collect(),
            before: before(history),
            returned: entries.iter().filter(|entry| entry.ret.is_some()).count(),
            sequence,
            keys: numbers.into_keys().collect(),
            states: Interner::new(),
            visited: Interner::new(),
            frames: Vec::new(),
            order: Vec::new(),
            best: None,
        }
    }

    fn run(mut self, left: &mut u64) -> Judgement {
        let budget = *left;
        let first = self.states.intern(self.model.init());
        let none_ordered = vec![0; self.history.entries().len().div_ceil(64)].into_boxed_slice();
        self.visit(none_ordered, vec![first; self.keys.len()].into_boxed_slice());
        loop {
            let Some(frame) = self.frames.last() else { return self.violation(first) };
            if frame.returned == self.returned {
                return Judgement::Consistent(self.order);
            }
            if *left == 0 {
                return Judgement::GaveUp(budget);
            }
            if self.descend() {
                *left -= 1;
            }
        }
    }

    /// Tries the next operation from the last frame, or drops the frame. Returns whether that led to a new
    /// configuration.
    fn descend(&mut self) -> bool {
        let Some(frame) = self.frames.last_mut() else { return false };
        let Some(&index) = self.sequence.get(frame.next) else {
            self.frames.pop();
            self.order.truncate(self.frames.last().map_or(0, |frame| frame.length));
            return false;
        };
        frame.next += 1;
        let (entry, part) = (&self.history.entries()[index], self.parts[index]);
        if is_set(&frame.ordered, index) || !is_ready(&self.before[index], &frame.ordered) {
            return false;
        }
        let state = self.states.get(frame.states[part]);
        let output = entry.ret.as_ref().map(|(_, output)| output);
        let Some(after) = self.model.step(state, &entry.op, output) else { return false };
        // An operation that changes nothing here and may be left out is left out.
        if output.is_none() && after == *state {
            return false;
        }
        let (mut ordered, mut states) = (frame.ordered.clone(), frame.states.clone());
        set(&mut ordered, index);
        states[part] = self.states.intern(after);
        self.order.push(index);
        self.visit(ordered, states)
    }

    /// Orders the observers that are possible, as any order that has one of them later can have it here instead. Then
    /// makes the configuration the last frame if it is new, and returns whether it is.
    fn visit(&mut self, mut ordered: Ordered, states: Box<[u32]>) -> bool {
        let mut has_changed = true;
        while has_changed {
            has_changed = false;
            for &index in &self.sequence {
                let entry = &self.history.entries()[index];
                let Some((_, output)) = &entry.ret else { break };
                if !is_set(&ordered, index)
                    && self.model.is_observer(&entry.op, Some(output))
                    && is_ready(&self.before[index], &ordered)
                    && self.model.allows(self.states.get(states[self.parts[index]]), &entry.op, output)
                {
                    set(&mut ordered, index);
                    self.order.push(index);
                    has_changed = true;
                }
            }
        }
        let known = self.visited.count();
        if self.visited.intern((ordered.clone(), states.clone())) as usize != known {
            self.order.truncate(self.frames.last().map_or(0, |frame| frame.length));
            return false;
        }
        let returned = self.order.iter().filter(|index| self.history.entries()[**index].ret.is_some()).count();
        let frame = Frame { ordered, states, length: self.order.len(), returned, next: 0 };
        if self.best.as_ref().is_none_or(|(best, _)| best.returned < returned) {
            self.best = Some((frame.clone(), self.order.clone()));
        }
        self.frames.push(frame);
        true
    }

    fn violation(self, first: u32) -> Judgement {
        let (Frame { ordered, states, .. }, order) = self.best.unwrap_or_default();
        let is_next = |index: &&usize| {
            let has_returned = self.history.entries()[**index].ret.is_some();
            has_returned && !is_set(&ordered, **index) && is_ready(&self.before[**index], &ordered)
        };
        let stuck = self.sequence.iter().filter(is_next).map(|index| {
            let output = self.history.entries()[*index].ret.as_ref().map(|(_, output)| shortened(output));
            let state = shortened(self.states.get(states[self.parts[*index]]));
            let why = format!("it cannot return {} when the state is {state}", output.unwrap_or_default());
            Stuck { operation: *index, why }
        });
        let stuck = stuck.collect();
        let changed = self.keys.iter().zip(&states).filter(|(_, state)| **state != first || self.keys.len() == 1);
        let parts = changed.map(|(key, state)| match self.keys.len() {
            1 => format!("{:?}", self.states.get(*state)),
            _ => format!("{key:?}: {:?}", self.states.get(*state)),
        });
        let state = parts.collect::<Vec<_>>().join(", ");
        let state = if state.is_empty() { "unchanged".to_owned() } else { state };
        Judgement::Violated(Box::new(Violation { order, state, stuck }))
    }
}

fn is_ready(before: &[u64], ordered: &[u64]) -> bool {
    before.iter().zip(ordered).all(|(before, ordered)| before & !ordered == 0)
}

/// For each operation, the operations of its client that come before it.
fn before<Op, Output>(history: &TypedHistory<Op, Output>) -> Vec<Ordered> {
    let entries = history.entries();
    let mut before = vec![vec![0; entries.len().div_ceil(64)].into_boxed_slice(); entries.len()];
    let mut of_process: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        of_process.entry(entry.process).or_default().push(index);
    }
    for mut members in of_process.into_values() {
        members.sort_by_key(|index| (entries[*index].call, *index));
        for (place, index) in members.iter().enumerate() {
            for earlier in &members[..place] {
                if entries[*earlier].ret.as_ref().is_some_and(|(ret, _)| *ret <= entries[*index].call) {
                    set(&mut before[*index], *earlier);
                }
            }
        }
    }
    before
}
