//! Reads and writes of keys as clients saw them: the input of the session, staleness and convergence checks.

use std::collections::BTreeMap;
use std::time::Duration;

use super::decoded::{Decoded, Unreadable, decode};
use crate::history::{Completion, History, Operation};

/// A read or a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op<V> {
    /// A read that returned this value, or `None` if nothing had been written.
    Read(Option<V>),
    /// A write of this value, or of this version.
    Write(V),
}

/// A read or write of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedOp<K, V> {
    /// The session that made it.
    pub session: u64,
    /// The key that was read or written.
    pub key: K,
    /// Whether it is a read or a write, and the value.
    pub op: Op<V>,
    /// When it was called: nanoseconds of virtual time, or the number of an event.
    pub call: u64,
    /// When it returned, in the same unit; `None` for a write whose outcome is unknown. Reads that did not return are
    /// left out.
    pub ret: Option<u64>,
}

/// How to tell which of two writes to one key came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOrder {
    /// The values are versions that the store assigned: the larger one is later. A write whose outcome is unknown has
    /// no version and is left out.
    Versions,
    /// Each value is written at most once, and a write that returned before another was called is the earlier one, as
    /// in a store where one server takes all writes.
    RealTime,
    /// Each value is written at most once, and only the sessions show in which order.
    Unknown,
}

/// Two writes of one key have the same value, so the operations cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value {value} of {key} is written more than once; write a unique value each time")]
pub struct NotUnique {
    /// The key, formatted with `Debug`.
    pub key: String,
    /// The value, formatted with `Debug`.
    pub value: String,
}

/// Returns the reads and writes of a run, with virtual times in nanoseconds. `read` returns the key and what was read
/// or written, or `Ok(None)` to leave the operation out. Refused operations and unanswered reads are left out in any
/// case.
///
/// # Errors
/// Fails with the first operation that `read` cannot decode.
pub fn keyed_ops<K, V>(
    history: &History,
    read: impl Fn(&Operation) -> Decoded<(K, Op<V>)>,
) -> Result<Vec<KeyedOp<K, V>>, Unreadable> {
    let keyed_op = |operation: &Operation| {
        let ret = match &operation.completed {
            Some((_, Completion::Fail(_))) => return Ok(None),
            Some((at, Completion::Ok(_))) => Some(nanoseconds(*at)),
            Some((_, Completion::Unknown(_))) | None => None,
        };
        let read = decode(operation, &read)?;
        let Some((key, op)) = read.filter(|(_, op)| ret.is_some() || matches!(op, Op::Write(_))) else {
            return Ok(None);
        };
        Ok(Some(KeyedOp { session: operation.session(), key, op, call: nanoseconds(operation.invoked_at), ret }))
    };
    history.operations.iter().map(keyed_op).filter_map(Result::transpose).collect()
}

/// The virtual time at which an operation of a run returned, or was called if its outcome is unknown.
pub(super) fn moment<K, V>(op: &KeyedOp<K, V>) -> Duration {
    Duration::from_nanos(op.ret.unwrap_or(op.call))
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The positions of each key's operations.
pub(super) fn by_key<K: Ord, V>(ops: &[KeyedOp<K, V>]) -> BTreeMap<&K, Vec<usize>> {
    let mut keys: BTreeMap<&K, Vec<usize>> = BTreeMap::new();
    for (index, op) in ops.iter().enumerate() {
        keys.entry(&op.key).or_default().push(index);
    }
    keys
}

/// The position of the write of each value, among these members.
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

/// Describes an operation: what was read or written, by which session, and when.
pub(super) fn describe<K: std::fmt::Debug, V: std::fmt::Debug>(keyed_op: &KeyedOp<K, V>) -> String {
    let KeyedOp { session, key, op, call, ret } = keyed_op;
    let op = match op {
        Op::Read(Some(value)) => format!("read of {key:?} = {value:?}"),
        Op::Read(None) => format!("read of {key:?} = nothing"),
        Op::Write(value) => format!("write of {key:?} = {value:?}"),
    };
    match ret {
        Some(ret) => format!("{op} by session {session} ({call} to {ret})"),
        None => format!("{op} by session {session} (from {call} on, outcome unknown)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::millis;
    use crate::trace::HostId;

    fn operation(life: u32, name: &str, answer: &str) -> Operation {
        Operation {
            host: HostId(1),
            client: 2,
            life,
            name: name.into(),
            input: "null".into(),
            invoked_at: millis(5),
            completed: Some((millis(6), Completion::Ok(answer.into()))),
        }
    }

    fn read(operation: &Operation) -> Decoded<((), Op<u64>)> {
        if operation.name == "read" { Ok(Some(((), Op::Read(operation.answer()?)))) } else { Ok(None) }
    }

    /// A decoder that could not read an operation once left it out.
    #[test]
    fn what_cannot_be_decoded_is_named_and_what_is_left_out_is_not() {
        let history =
            |answer: &str| History { operations: vec![operation(0, "who", "x"), operation(0, "read", answer)] };
        assert_eq!(keyed_ops(&history("7"), read).map(|ops| ops.len()), Ok(1));
        let error = keyed_ops(&history("\"seven\""), read).unwrap_err();
        assert_eq!(error.operation, "read null of client 2 (5ms, answered at 6ms with \"seven\")");
        assert!(error.reason.starts_with("invalid type: string \"seven\", expected u64"), "{error}");
    }

    /// A client that was started again has forgotten what it read.
    #[test]
    fn each_life_of_a_client_is_a_session() {
        let operations = [0, 0, 1].map(|life| operation(life, "read", "7")).to_vec();
        let ops = keyed_ops(&History { operations }, read).unwrap();
        assert_eq!((ops[0].session == ops[1].session, ops[1].session == ops[2].session), (true, false));
    }
}
