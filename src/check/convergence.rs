//! Convergence: once writing has stopped, all reads of a key agree, and none returns an overwritten value.
//!
//! This is what Terry et al. (1994) and Vogels (*Eventually Consistent*, 2008) call eventual consistency, made
//! checkable: the caller says by when "eventually" must have come.

use std::fmt::Debug;
use std::time::Duration;

use super::keyed_op::{KeyedOp, NotUnique, Op, WriteOrder, by_key, describe, keyed_ops, moment, nanoseconds};
use super::staleness::overwritten;
use super::{Check, CountedVerdict, Decoded};
use crate::history::Operation;

/// Two operations that show that a key has not converged, as positions in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDivergence {
    /// Two reads after the given time returned different values.
    Differ(usize, usize),
    /// The read, after the given time, returned a value that the write had overwritten.
    Overwritten(usize, usize),
}

/// The result of [`converged`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converged {
    /// The first divergence of each key that has diverged, in the order of the keys.
    pub divergences: Vec<KeyDivergence>,
    /// How many keys were read at least twice after the given time, so that the reads could have differed.
    pub compared: usize,
}

/// Compares, for each key, all reads that were called at `after` or later and after the key's last write returned.
///
/// A write whose outcome is unknown may take effect at any time, so choose `after` late enough for it to have done so.
///
/// # Errors
/// Fails if two writes of a key have the same value.
///
/// ```
/// use squall::check::keyed_op::{KeyedOp, Op, WriteOrder};
/// use squall::check::convergence::{KeyDivergence, converged};
///
/// let tea = |op, call, ret| KeyedOp { session: 1, key: "tea", op, call, ret: Some(ret) };
/// let history = [tea(Op::Write(1), 0, 5), tea(Op::Read(Some(1)), 10, 20), tea(Op::Read(None), 30, 31)];
/// assert_eq!(converged(&history, 6, WriteOrder::RealTime)?.divergences, [KeyDivergence::Differ(1, 2)]);
/// # Ok::<(), squall::check::keyed_op::NotUnique>(())
/// ```
pub fn converged<K: Ord + Debug, V: Ord + Debug>(
    ops: &[KeyedOp<K, V>],
    after: u64,
    write_order: WriteOrder,
) -> Result<Converged, NotUnique> {
    let mut found = Converged { divergences: Vec::new(), compared: 0 };
    for members in by_key(ops).values() {
        let is_write = |index: &&usize| matches!(ops[**index].op, Op::Write(_));
        let written = members.iter().filter(is_write).map(|index| ops[*index].ret.unwrap_or(ops[*index].call));
        let last_write = written.max();
        let is_late =
            |index: &usize| ops[*index].call >= after && last_write.is_none_or(|last| ops[*index].call > last);
        let reads: Vec<usize> = members.iter().filter(|index| !is_write(index)).copied().filter(is_late).collect();
        found.compared += usize::from(reads.len() > 1);
        let value = |index: usize| match &ops[index].op {
            Op::Read(value) => value.as_ref(),
            Op::Write(value) => Some(value),
        };
        let Some(&first) = reads.first() else { continue };
        if let Some(other) = reads.iter().find(|index| value(**index) != value(first)) {
            found.divergences.push(KeyDivergence::Differ(first, *other));
        } else if write_order != WriteOrder::Unknown
            && let Some((_, write)) = overwritten(ops, members, write_order)?.get(&value(first))
        {
            found.divergences.push(KeyDivergence::Overwritten(first, *write));
        }
    }
    Ok(found)
}

/// A scenario check: reads that are called at least `within` after the end of the faults agree, and none returns an
/// overwritten value. The verdict is unknown if no key was read twice after that time. `read` is as in [`keyed_ops`].
pub fn converges_within<K: Ord + Debug + 'static, V: Ord + Debug + 'static>(
    name: &str,
    within: Duration,
    write_order: WriteOrder,
    read: impl Fn(&Operation) -> Decoded<(K, Op<V>)> + Send + Sync + 'static,
) -> Check {
    Check::new(name, move |trace, history| {
        let ops = match keyed_ops(history, &read) {
            Ok(ops) => ops,
            Err(unreadable) => return unreadable.into(),
        };
        let line = |index: usize| describe(&ops[index]);
        match converged(&ops, nanoseconds(trace.run_for + within), write_order) {
            Err(why) => CountedVerdict::unknown(0, why.to_string()),
            Ok(found) => match found.divergences.first() {
                Some(KeyDivergence::Differ(one, other)) => {
                    let why = format!("not converged: {}, but {}", line(*one), line(*other));
                    CountedVerdict::broken(found.compared as u64, why).at(moment(&ops[*other]))
                }
                Some(KeyDivergence::Overwritten(read, write)) => {
                    let (seen, write) = (line(*read), line(*write));
                    let why = format!("a write is lost: {seen}, although it was overwritten by the {write}");
                    CountedVerdict::broken(found.compared as u64, why).at(moment(&ops[*read]))
                }
                None => CountedVerdict::kept(
                    found.compared as u64,
                    "no key was read twice after the faults; read each key at least twice at the end",
                ),
            },
        }
    })
}
