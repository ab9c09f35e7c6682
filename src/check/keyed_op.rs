//! Reads and writes of keys as their clients saw them: what the checkers of sessions, staleness and convergence judge.
//! It knows no promise.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::history::{Completion, History, Operation};

/// What an access did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op<V> {
    /// It read this value; none if nothing had been written.
    Read(Option<V>),
    /// It wrote this value, or made this version.
    Write(V),
}

/// One read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedOp<K, V> {
    /// Whose it is.
    pub session: u64,
    /// What is read or written.
    pub key: K,
    /// What was read or written.
    pub op: Op<V>,
    /// When it was called: nanoseconds of the run, or the number of an event.
    pub call: u64,
    /// When it returned. None for a write whose outcome is unknown; a read that did not return is none.
    pub ret: Option<u64>,
}

/// How it is known which of two writes to one key came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOrder {
    /// The values are versions that the store gave: the larger is the later one. A write whose outcome is unknown has
    /// none, and is left out.
    Versions,
    /// Each value is written at most once, and a write that returned before another was called is the earlier one, as
    /// where one server takes all writes.
    RealTime,
    /// Each value is written at most once, and nothing is known of their order but what the sessions show.
    Unknown,
}

/// Why accesses cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value {value} of {key} is written more than once")]
pub struct NotUnique {
    /// The key, in the manner of `Debug`.
    pub key: String,
    /// The value, in the manner of `Debug`.
    pub value: String,
}

/// The accesses of a run. `read` gives the key and what was read or written, or none if the operation is to be left out:
/// it must leave out reads that were not answered. Refused operations are left out; the times are virtual, in
/// nanoseconds.
pub fn keyed_ops<K, V>(history: &History, read: impl Fn(&Operation) -> Option<(K, Op<V>)>) -> Vec<KeyedOp<K, V>> {
    let access = |operation: &Operation| {
        let ret = match &operation.completed {
            Some((_, Completion::Fail(_))) => return None,
            Some((at, Completion::Ok(_))) => Some(nanoseconds(*at)),
            Some((_, Completion::Unknown(_))) | None => None,
        };
        let (key, op) = read(operation)?;
        if ret.is_none() && matches!(op, Op::Read(_)) {
            return None;
        }
        let session = u64::from(operation.host.0) << 32 | u64::from(operation.client);
        Some(KeyedOp { session, key, op, call: nanoseconds(operation.invoked_at), ret })
    };
    history.operations.iter().filter_map(access).collect()
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The accesses of each key, by their positions.
pub(super) fn by_key<K: Ord, V>(ops: &[KeyedOp<K, V>]) -> BTreeMap<&K, Vec<usize>> {
    let mut keys: BTreeMap<&K, Vec<usize>> = BTreeMap::new();
    for (index, access) in ops.iter().enumerate() {
        keys.entry(&access.key).or_default().push(index);
    }
    keys
}

/// The write of each value among these accesses, by its position.
pub(super) fn writes<'a, K: std::fmt::Debug, V: Ord + std::fmt::Debug>(
    ops: &'a [KeyedOp<K, V>],
    members: &[usize],
) -> Result<BTreeMap<&'a V, usize>, NotUnique> {
    let mut writes = BTreeMap::new();
    for &index in members {
        let Op::Write(value) = &ops[index].op else { continue };
        if writes.insert(value, index).is_some() {
            let key = format!("{:?}", ops[index].key);
            return Err(NotUnique { key, value: format!("{value:?}") });
        }
    }
    Ok(writes)
}

/// An access in words: who, what, when.
pub(super) fn words<K: std::fmt::Debug, V: std::fmt::Debug>(access: &KeyedOp<K, V>) -> String {
    let KeyedOp { session, key, call, .. } = access;
    let op = match &access.op {
        Op::Read(Some(value)) => format!("read of {key:?} = {value:?}"),
        Op::Read(None) => format!("read of {key:?} = nothing"),
        Op::Write(value) => format!("write of {key:?} = {value:?}"),
    };
    match access.ret {
        Some(ret) => format!("{op} by session {session} ({call} to {ret})"),
        None => format!("{op} by session {session} (from {call} on, outcome unknown)"),
    }
}
