//! Judges queues whose values are enqueued at most once, in O(n log n).
//!
//! Such a history is linearizable if and only if it shows none of four patterns (Henzinger, Sezgin and Vafeiadis,
//! *Aspect-Oriented Linearizability Proofs*, 2013; the last as Bouajjani, Emmi, Enea and Hamza put it, *On Reducing
//! Linearizability to State Reachability*, 2015): a value that was never enqueued, a value that is taken twice, values
//! that are taken out of order, and a queue that is found empty although it always contains a value.
//!
//! Unknown outcomes:
//! - An enqueue whose value is never taken is left out. One whose value is taken took effect, and may have done so
//!   late.
//! - A dequeue may have taken any value that no other dequeue returned, at any time after its call. By Hall's theorem,
//!   it suffices that at every moment, the number of values that must be gone is at most the number of dequeues with
//!   unknown outcomes that were called by then. A dequeue that found the queue empty needs a moment at which every
//!   value that is certainly in the queue can be gone. These moments can be chosen independently, because the
//!   requirement of a later one includes that of an earlier one.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::judge::verdict;
use super::models::{Queue, QueueOp, QueueOutput, Value};
use super::{SearchOptions, TypedHistory, judge};
use crate::check::Verdict;

mod slack;
mod wrong;

pub use self::wrong::Wrong;
use slack::Slack;

/// A value is enqueued more than once, so the patterns do not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {0} enqueues a value that was enqueued before; use the general search")]
pub struct NotUnique(pub usize);

/// Judges a queue: by patterns if its values are unique, and by the general search otherwise.
pub fn linearizable_queue<V: Value>(history: &TypedHistory<QueueOp<V>, QueueOutput<V>>) -> Verdict {
    match wrong(history) {
        Ok(Some(wrong)) => Verdict::fail(wrong.summary(history)),
        Ok(None) => Verdict::Pass,
        Err(NotUnique(_)) => verdict(history, judge(&Queue::default(), history, &SearchOptions::default())),
    }
}

/// Finds what is wrong with a queue that is empty initially and whose values are unique; `None` if it is linearizable.
///
/// # Errors
/// Fails if a value is enqueued more than once, whatever the outcomes.
pub fn wrong<V: Value>(history: &TypedHistory<QueueOp<V>, QueueOutput<V>>) -> Result<Option<Wrong>, NotUnique> {
    let sorted = match Sorted::new(history)? {
        Ok(sorted) => sorted,
        Err(wrong) => return Ok(Some(wrong)),
    };
    Ok(sorted.overtaken().or_else(|| sorted.too_many_overtaken()).or_else(|| sorted.never_empty()))
}

/// A moment after all others.
const NEVER: u64 = u64::MAX;

/// A value that was certainly enqueued.
struct Item {
    enqueue: usize,
    /// When its enqueue was called.
    call: u64,
    /// When its enqueue returned; [`NEVER`] if it did not.
    ret: u64,
    /// The dequeue that took it, with its call and its return.
    taken: Option<(usize, u64, u64)>,
    /// When a later value was first certainly taken, and the number of its item: this value must be taken no later.
    deadline: Option<(u64, usize)>,
}

struct Sorted {
    /// Items in the order of their calls.
    items: Vec<Item>,
    /// Dequeues that found the queue empty: call, return and position.
    empty: Vec<(u64, u64, usize)>,
    /// The calls of dequeues whose outcomes are unknown, in order.
    unknown: Vec<u64>,
}

impl Sorted {
    fn new<V: Value>(history: &TypedHistory<QueueOp<V>, QueueOutput<V>>) -> Result<Result<Sorted, Wrong>, NotUnique> {
        let entries = history.entries();
        let mut enqueues: BTreeMap<&V, usize> = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            if let QueueOp::Enqueue(value) = &entry.op
                && enqueues.insert(value, index).is_some()
            {
                return Err(NotUnique(index));
            }
        }
        let mut taken: BTreeMap<usize, (usize, u64, u64)> = BTreeMap::new();
        let (mut empty, mut unknown) = (Vec::new(), Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            match (&entry.op, &entry.ret) {
                (QueueOp::Dequeue, None) => unknown.push(entry.call),
                (QueueOp::Dequeue, Some((ret, QueueOutput::Taken(None)))) => empty.push((entry.call, *ret, index)),
                (QueueOp::Dequeue, Some((ret, QueueOutput::Taken(Some(value))))) => {
                    let Some(&enqueue) = enqueues.get(value) else { return Ok(Err(Wrong::Unknown { dequeue: index })) };
                    if *ret < entries[enqueue].call {
                        return Ok(Err(Wrong::Early { dequeue: index, enqueue }));
                    }
                    if let Some((first, ..)) = taken.insert(enqueue, (index, entry.call, *ret)) {
                        return Ok(Err(Wrong::Twice { first, second: index }));
                    }
                }
                // An enqueue's output is never possible for a dequeue.
                (QueueOp::Dequeue, Some((_, QueueOutput::Done))) => {
                    return Ok(Err(Wrong::Unknown { dequeue: index }));
                }
                (QueueOp::Enqueue(_), _) => {}
            }
        }
        let mut items: Vec<Item> = Vec::new();
        for enqueue in enqueues.into_values() {
            let entry = &entries[enqueue];
            let taken = taken.get(&enqueue).copied();
            let ret = match &entry.ret {
                Some((_, QueueOutput::Taken(_))) => return Ok(Err(Wrong::Unknown { dequeue: enqueue })),
                Some((ret, QueueOutput::Done)) => *ret,
                None if taken.is_some() => NEVER,
                None => continue,
            };
            items.push(Item { enqueue, call: entry.call, ret, taken, deadline: None });
        }
        items.sort_by_key(|item| (item.call, item.enqueue));
        unknown.sort_unstable();
        let mut sorted = Sorted { items, empty, unknown };
        sorted.set_deadlines();
        Ok(Ok(sorted))
    }

    fn set_deadlines(&mut self) {
        // For each suffix of the items, the first return of a dequeue.
        let mut first_returns = vec![None; self.items.len() + 1];
        for number in (0..self.items.len()).rev() {
            let own = self.items[number].taken.map(|(_, _, ret)| (ret, number));
            first_returns[number] = [own, first_returns[number + 1]].into_iter().flatten().min();
        }
        let calls: Vec<u64> = self.items.iter().map(|item| item.call).collect();
        for item in &mut self.items {
            item.deadline = first_returns[calls.partition_point(|call| *call <= item.ret)];
        }
    }

    /// Finds a value that was taken after a value that was enqueued later.
    fn overtaken(&self) -> Option<Wrong> {
        self.items.iter().find_map(|item| {
            let ((taken, call, _), (deadline, by)) = (item.taken?, item.deadline?);
            (deadline < call).then(|| self.overtaking(item, Some(taken), by))
        })
    }

    fn overtaking(&self, item: &Item, taken: Option<usize>, by: usize) -> Wrong {
        let second = &self.items[by];
        let before = second.taken.map_or(second.enqueue, |(dequeue, ..)| dequeue);
        Wrong::Overtaken { first: item.enqueue, taken, second: second.enqueue, before }
    }

    /// Finds a moment by which more values must be gone than dequeues may have taken.
    fn too_many_overtaken(&self) -> Option<Wrong> {
        let mut due: Vec<(u64, usize)> = Vec::new();
        for (number, item) in self.items.iter().enumerate() {
            if let (None, Some((deadline, _))) = (item.taken, item.deadline) {
                due.push((deadline, number));
            }
        }
        due.sort_unstable();
        // Each deadline uses up the dequeue that was called next.
        let late = (0..due.len()).find(|count| self.unknown.get(*count).is_none_or(|call| *call > due[*count].0))?;
        let (_, number) = due[late];
        let item = &self.items[number];
        if let (0, Some((_, by))) = (late, item.deadline) {
            return Some(self.overtaking(item, None, by));
        }
        let values = due[..=late].iter().map(|(_, number)| self.items[*number].enqueue).collect();
        let by = due[..=late].iter().filter_map(|(_, number)| Some(&self.items[self.items[*number].deadline?.1]));
        let mut because: Vec<usize> =
            by.flat_map(|item| [Some(item.enqueue), item.taken.map(|taken| taken.0)]).flatten().collect();
        because.sort_unstable();
        because.dedup();
        Some(Wrong::TooMany { values, because })
    }

    /// Finds a dequeue that found the queue empty, although at no moment during it the queue can have been empty.
    fn never_empty(&self) -> Option<Wrong> {
        if self.empty.is_empty() {
            return None;
        }
        let moments = self.moments();
        let inside = self.inside(&moments);
        let untaken = self.items.iter().filter(|item| item.taken.is_none());
        let untaken = untaken.map(|item| (item.ret, item.deadline.map(|(deadline, _)| deadline)));
        let mut slack = Slack::new(untaken, &self.unknown, &moments);
        // For each moment, at how many earlier ones the queue can have been empty.
        let mut possible = vec![0_usize; moments.len() + 1];
        for (number, moment) in moments.iter().enumerate() {
            let is_possible = inside[number] == 0 && slack.is_enough_at(*moment);
            possible[number + 1] = possible[number] + usize::from(is_possible);
        }
        let span = |call: u64, ret: u64| {
            (moments.partition_point(|other| *other < call), moments.partition_point(|other| *other <= ret))
        };
        let is_never = |(call, ret, _): &&(u64, u64, usize)| {
            let (from, to) = span(*call, *ret);
            possible[from] == possible[to]
        };
        let (call, ret, dequeue) = *self.empty.iter().find(is_never)?;
        let (from, to) = span(call, ret);
        let is_covered = inside[from..to].iter().all(|count| *count > 0);
        if is_covered || self.unknown.first().is_none_or(|first| *first > ret) {
            // A value that no dequeue returned may be gone, unless no unknown dequeue was called by then.
            let cover = self.cover(call, ret, |item| !is_covered || item.taken.is_some());
            let values = cover.iter().map(|item| item.enqueue).collect();
            let taken = cover.iter().filter_map(|item| Some(item.taken?.0)).collect();
            return Some(Wrong::NeverEmpty { dequeue, values, taken });
        }
        let is_there = |item: &&Item| item.ret < ret && item.taken.is_none_or(|(_, taken, _)| taken > call);
        let there: Vec<&Item> = self.items.iter().filter(is_there).collect();
        let taken = there.iter().filter_map(|item| Some(item.taken?.0));
        let because = taken.chain([dequeue]).collect();
        Some(Wrong::TooMany { values: there.iter().map(|item| item.enqueue).collect(), because })
    }

    /// Selects a small set of values, at least one of which is in the queue at every moment from `call` to `ret`. The
    /// next value is always the one that stays longest, of those that were enqueued before the selected ones are gone.
    fn cover(&self, call: u64, ret: u64, is_candidate: impl Fn(&Item) -> bool) -> Vec<&Item> {
        let mut by_return: Vec<&Item> = self.items.iter().filter(|item| is_candidate(item)).collect();
        by_return.sort_by_key(|item| (item.ret, item.enqueue));
        let mut coming = by_return.into_iter().peekable();
        let (mut cover, mut until) = (Vec::new(), call);
        let mut best: Option<(u64, &Item)> = None;
        while until <= ret {
            while let Some(item) = coming.next_if(|item| item.ret < until) {
                let gone = item.taken.map_or(NEVER, |(_, taken, _)| taken);
                if best.is_none_or(|(longest, _)| longest < gone) {
                    best = Some((gone, item));
                }
            }
            let Some((gone, item)) = best.filter(|(gone, _)| *gone > until) else { break };
            cover.push(item);
            until = gone;
        }
        cover
    }

    /// All moments at which anything begins or ends, in order.
    fn moments(&self) -> Vec<u64> {
        let mut moments: Vec<u64> = self.empty.iter().flat_map(|(call, ret, _)| [*call, *ret]).collect();
        for item in &self.items {
            moments.push(item.ret);
            moments.extend(item.taken.map(|(_, call, _)| call));
            moments.extend(item.deadline.map(|(deadline, _)| deadline));
        }
        moments.extend(&self.unknown);
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// For each moment, how many of the values that a dequeue returned are certainly in the queue.
    fn inside(&self, moments: &[u64]) -> Vec<usize> {
        let mut changes = vec![0_i64; moments.len() + 1];
        for item in &self.items {
            let Some((_, taken, _)) = item.taken else { continue };
            // From the return of the enqueue to the call of the dequeue, both excluded.
            let (from, to) = (moments.partition_point(|m| *m <= item.ret), moments.partition_point(|m| *m < taken));
            if from < to {
                changes[from] += 1;
                changes[to] -= 1;
            }
        }
        let mut inside = 0;
        let sum = changes[..moments.len()].iter().map(|change| {
            inside += change;
            usize::try_from(inside).unwrap_or_default()
        });
        sum.collect()
    }
}
