//! Staleness in time: how long before a read the value that it returned had been overwritten.
//!
//! The measure is that of Golab, Li and Shah (*Analyzing Consistency Properties for Fun and Profit*, 2011), from the
//! client's side: a value is certainly overwritten once a later write has returned, and a read is stale by the time
//! from that return to the read's call. The value may really be staler than that, but never fresher, so the result
//! never overstates.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use super::keyed_op::{KeyedOp, NotUnique, Op, WriteOrder, by_key, describe, keyed_ops, moment, nanoseconds, writes};
use super::{Check, CountedVerdict, Decoded};
use crate::fault::duration_text;
use crate::history::Operation;

/// A read that returned an overwritten value. Operations are positions in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The read.
    pub read: usize,
    /// The write that made it stale: of the later writes, the one that returned first.
    pub overwritten_by: usize,
    /// The time from the return of that write to the call of the read, in the unit of the operations.
    pub by: u64,
}

/// Finds the stalest read; returns `None` if no read is stale. Where the order of values is unknown, real time stands
/// in for it: a write that was called after a value was written or read is later.
///
/// # Errors
/// Fails if two writes of a key have the same value.
///
/// ```
/// use squall::check::keyed_op::{KeyedOp, Op, WriteOrder};
/// use squall::check::staleness::worst;
///
/// let tea = |op, call, ret| KeyedOp { session: 1, key: "tea", op, call, ret: Some(ret) };
/// let history = [tea(Op::Write(1), 0, 5), tea(Op::Write(2), 10, 20), tea(Op::Read(Some(1)), 50, 60)];
/// let stale = worst(&history, WriteOrder::Versions)?.expect("the read is stale");
/// assert_eq!((stale.read, stale.overwritten_by, stale.by), (2, 1, 30));
/// # Ok::<(), squall::check::keyed_op::NotUnique>(())
/// ```
pub fn worst<K: Ord + Debug, V: Ord + Debug>(
    ops: &[KeyedOp<K, V>],
    write_order: WriteOrder,
) -> Result<Option<Stale>, NotUnique> {
    let mut worst: Option<Stale> = None;
    for members in by_key(ops).values() {
        let overwritten = overwritten(ops, members, write_order)?;
        for &read in members {
            let Op::Read(value) = &ops[read].op else { continue };
            let Some(&(at, overwritten_by)) = overwritten.get(&value.as_ref()) else { continue };
            let by = ops[read].call.saturating_sub(at);
            if by > 0 && worst.as_ref().is_none_or(|worst| worst.by < by) {
                worst = Some(Stale { read, overwritten_by, by });
            }
        }
    }
    Ok(worst)
}

/// When each value of a key was certainly overwritten, and by which write.
pub(super) fn overwritten<'a, K: Debug, V: Ord + Debug>(
    ops: &'a [KeyedOp<K, V>],
    members: &[usize],
    write_order: WriteOrder,
) -> Result<BTreeMap<Option<&'a V>, (u64, usize)>, NotUnique> {
    let writes = writes(ops, members)?;
    let ret = |index: usize| ops[index].ret.map(|ret| (ret, index));
    let read = members.iter().filter_map(|index| match &ops[*index].op {
        Op::Read(value) => Some((value.as_ref(), *index)),
        Op::Write(_) => None,
    });
    let mut overwritten = BTreeMap::new();
    if write_order == WriteOrder::Versions {
        let mut values: Vec<Option<&V>> =
            read.map(|(value, _)| value).chain(writes.keys().copied().map(Some)).collect();
        values.sort();
        values.dedup();
        let mut first: Option<(u64, usize)> = None;
        for value in values.into_iter().rev() {
            if let Some(first) = first {
                overwritten.insert(value, first);
            }
            let own = value.and_then(|value| writes.get(value)).and_then(|index| ret(*index));
            first = [first, own].into_iter().flatten().min();
        }
        return Ok(overwritten);
    }
    // A value is certainly present once its write or a read of it has returned.
    let mut present: BTreeMap<Option<&V>, Option<u64>> = BTreeMap::from([(None, None)]);
    let written = writes.iter().map(|(value, index)| (Some(*value), *index));
    for (value, index) in written.chain(read) {
        if let (Some(_), Some(at)) = (value, ops[index].ret) {
            let since = present.entry(value).or_insert(Some(at));
            *since = (*since).min(Some(at));
        }
    }
    let mut calls: Vec<usize> = writes.values().copied().filter(|index| ops[*index].ret.is_some()).collect();
    calls.sort_by_key(|index| ops[*index].call);
    // For each suffix of the calls, shortest first: the write that returned first.
    let mut first_returns: Vec<(u64, usize)> = Vec::with_capacity(calls.len());
    for index in calls.iter().rev() {
        let own = ret(*index);
        first_returns.extend([first_returns.last().copied(), own].into_iter().flatten().min());
    }
    for (value, since) in present {
        let earlier = calls.partition_point(|index| since.is_some_and(|since| ops[*index].call <= since));
        if let Some(first) = (calls.len() - earlier).checked_sub(1).map(|place| first_returns[place]) {
            overwritten.insert(value, first);
        }
    }
    Ok(overwritten)
}

/// A scenario check: no read returns a value that had been overwritten for longer than `bound`. A failure names the
/// stalest read. `read` is as in [`keyed_ops`].
pub fn staleness_at_most<K: Ord + Debug + 'static, V: Ord + Debug + 'static>(
    name: &str,
    bound: Duration,
    write_order: WriteOrder,
    read: impl Fn(&Operation) -> Decoded<(K, Op<V>)> + Send + Sync + 'static,
) -> Check {
    Check::new(name, move |_, history| {
        let ops = match keyed_ops(history, &read) {
            Ok(ops) => ops,
            Err(unreadable) => return unreadable.into(),
        };
        let judged = ops.iter().filter(|op| matches!(op.op, Op::Read(_))).count() as u64;
        match worst(&ops, write_order) {
            Err(why) => CountedVerdict::unknown(judged, why.to_string()),
            Ok(Some(stale)) if stale.by > nanoseconds(bound) => {
                let (read, write) = (describe(&ops[stale.read]), describe(&ops[stale.overwritten_by]));
                let (by, bound) = (duration_text(Duration::from_nanos(stale.by)), duration_text(bound));
                let why = format!("stale by {by}; the limit is {bound}: {read}; overwritten by the {write}");
                CountedVerdict::broken(judged, why).at(moment(&ops[stale.read]))
            }
            Ok(_) => CountedVerdict::kept(judged, "no read returned: let the clients read"),
        }
    })
}
