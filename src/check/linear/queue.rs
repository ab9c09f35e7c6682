//! Queues whose values are enqueued at most once, judged in n log n. It knows nothing of the general search.
//!
//! Such a history is linearizable if and only if it shows none of four patterns (Henzinger, Sezgin and Vafeiadis,
//! *Aspect-Oriented Linearizability Proofs*, 2013; the last as Bouajjani, Emmi, Enea and Hamza put it, *On Reducing
//! Linearizability to State Reachability*, 2015): a value from nowhere, a value that is taken twice, values that are taken
//! against their order, and a queue that is called empty while something is in it all the time.
//!
//! Unknown outcomes:
//! - An enqueue whose value is never taken is left out. One whose value is taken took effect, and may have done so late.
//! - A dequeue may have taken any value that nobody else took, at any time after its call. The values that must be gone
//!   by some moment and the dequeues that were called by then are counted against each other (Hall's theorem: for every
//!   moment, no more of the ones than of the others). An empty queue needs a moment of its own at which all that is in
//!   it for certain can be gone; these moments do not compete, as a later one only asks for what an earlier one had.

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

/// A value is enqueued more than once: the patterns do not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {0} enqueues a value again")]
pub struct NotUnique(pub usize);

/// Judges a queue: by patterns if its values are unique, and by the general search otherwise.
pub fn linearizable_queue<V: Value>(history: &TypedHistory<QueueOp<V>, QueueOutput<V>>) -> Verdict {
    match wrong(history) {
        Ok(Some(wrong)) => Verdict::Fail(wrong.summary(history)),
        Ok(None) => Verdict::Pass,
        Err(NotUnique(_)) => verdict(history, judge(&Queue::default(), history, &SearchOptions::default())),
    }
}

/// What is wrong with a queue that is empty at first and whose values are unique; none if it is linearizable.
///
/// # Errors
/// If a value is enqueued more than once, whatever came of it.
pub fn wrong<V: Value>(history: &TypedHistory<QueueOp<V>, QueueOutput<V>>) -> Result<Option<Wrong>, NotUnique> {
    let sorted = match Sorted::new(history)? {
        Ok(sorted) => sorted,
        Err(wrong) => return Ok(Some(wrong)),
    };
    Ok(sorted.overtaken().or_else(|| sorted.too_many_overtaken()).or_else(|| sorted.never_empty()))
}

/// An instant after all others.
const NEVER: u64 = u64::MAX;

/// A value that was certainly enqueued.
struct Item {
    enqueue: usize,
    /// When its enqueue was called and returned.
    call: u64,
    ret: u64,
    /// The dequeue that took it, with its call and its return.
    taken: Option<(usize, u64, u64)>,
    /// When the first value that was enqueued after this one was certainly taken, and which item that is: this one must
    /// be taken no later.
    deadline: Option<(u64, usize)>,
}

struct Sorted {
    /// In the order of their calls.
    items: Vec<Item>,
    /// Dequeues that found nothing: call, return and position.
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
                // An output of another operation is never possible.
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
        // From the end, the first return of a dequeue.
        let mut firsts = vec![None; self.items.len() + 1];
        for number in (0..self.items.len()).rev() {
            let own = self.items[number].taken.map(|(_, _, ret)| (ret, number));
            firsts[number] = [own, firsts[number + 1]].into_iter().flatten().min();
        }
        let calls: Vec<u64> = self.items.iter().map(|item| item.call).collect();
        for item in &mut self.items {
            item.deadline = firsts[calls.partition_point(|call| *call <= item.ret)];
        }
    }

    /// A value that was taken after one that was enqueued after it.
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

    /// More values that must be gone than dequeues that may have taken them.
    fn too_many_overtaken(&self) -> Option<Wrong> {
        let mut due: Vec<(u64, usize)> = Vec::new();
        for (number, item) in self.items.iter().enumerate() {
            if let (None, Some((deadline, _))) = (item.taken, item.deadline) {
                due.push((deadline, number));
            }
        }
        due.sort_unstable();
        // Each deadline takes the dequeue that was called next.
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

    /// A dequeue that found nothing, although there is no moment in it at which nothing could have been there.
    fn never_empty(&self) -> Option<Wrong> {
        if self.empty.is_empty() {
            return None;
        }
        let moments = self.moments();
        let inside = self.inside(&moments);
        let untaken = self.items.iter().filter(|item| item.taken.is_none());
        let untaken = untaken.map(|item| (item.ret, item.deadline.map(|(deadline, _)| deadline)));
        let mut slack = Slack::new(untaken, &self.unknown, &moments);
        // How many moments before each are good for an empty queue.
        let mut good = vec![0_usize; moments.len() + 1];
        for (number, moment) in moments.iter().enumerate() {
            let is_good = inside[number] == 0 && slack.is_enough_at(*moment);
            good[number + 1] = good[number] + usize::from(is_good);
        }
        let span = |call: u64, ret: u64| {
            (moments.partition_point(|other| *other < call), moments.partition_point(|other| *other <= ret))
        };
        let is_never = |(call, ret, _): &&(u64, u64, usize)| {
            let (from, to) = span(*call, *ret);
            good[from] == good[to]
        };
        let (call, ret, dequeue) = *self.empty.iter().find(is_never)?;
        let (from, to) = span(call, ret);
        let is_covered = inside[from..to].iter().all(|count| *count > 0);
        if is_covered || self.unknown.first().is_none_or(|first| *first > ret) {
            // What nobody took for certain may be gone, unless nobody can have taken it by then.
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

    /// Few values of which one is in the queue at every moment from `call` to `ret`: of those that are in before the ones
    /// so far are all gone, always the one that stays for longest.
    fn cover(&self, call: u64, ret: u64, is_meant: impl Fn(&Item) -> bool) -> Vec<&Item> {
        let mut by_return: Vec<&Item> = self.items.iter().filter(|item| is_meant(item)).collect();
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

    /// For each moment, how many values that somebody takes are certainly in the queue.
    fn inside(&self, moments: &[u64]) -> Vec<usize> {
        let mut changes = vec![0_i64; moments.len() + 1];
        for item in &self.items {
            let Some((_, taken, _)) = item.taken else { continue };
            // Between the return of the enqueue and the call of the dequeue, without either.
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
