//! Convergence: when writing has ceased, all reads of a key agree, and on nothing that had been overwritten. It knows
//! reads and writes, and nothing of runs.
//!
//! This is what Terry et al. (1994) and Vogels (*Eventually Consistent*, 2008) call eventual consistency, made checkable:
//! "eventually" is a moment that the caller names.

use std::fmt::Debug;
use std::time::Duration;

use super::keyed_op::{KeyedOp, NotUnique, Op, WriteOrder, by_key, keyed_ops, nanoseconds, words};
use super::staleness::overwritten;
use super::{Check, Verdict};
use crate::history::Operation;

/// Two accesses that show that a key has not converged. Accesses are positions in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDivergence {
    /// Two reads after the moment returned different values.
    Differ(usize, usize),
    /// The read, after the moment, returned a value that had been overwritten by the write.
    Overwritten(usize, usize),
}

/// What is known of convergence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converged {
    /// The first divergence of each key that has one, in the order of the keys.
    pub divergences: Vec<KeyDivergence>,
    /// How many keys were read at least twice after the moment, so that their readers could have differed.
    pub compared: usize,
}

/// Compares all reads of each key that were called at `after` or later, and later than the return of its last write.
///
/// A write whose outcome is unknown may take effect at any time, so `after` must leave it the time to have done so.
///
/// # Errors
/// If two writes of a key have the same value.
///
/// ```
/// use squall::check::keyed_op::{KeyedOp, Op, WriteOrder};
/// use squall::check::convergence::{KeyDivergence, converged};
///
/// let access = |act, call, ret| KeyedOp { session: 1, key: "tea", act, call, ret: Some(ret) };
/// let history = [access(Op::Write(1), 0, 5), access(Op::Read(Some(1)), 10, 20), access(Op::Read(None), 30, 31)];
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
        let quiet = written.max();
        let is_late = |index: &usize| ops[*index].call >= after && quiet.is_none_or(|quiet| ops[*index].call > quiet);
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

/// A check of a scenario: reads that are called at least `within` after the faults are over agree, and on nothing that
/// had been overwritten. Unknown if no key was read twice by then. `read` is as for [`accesses`].
pub fn converges_within<K: Ord + Debug + 'static, V: Ord + Debug + 'static>(
    name: &str,
    within: Duration,
    write_order: WriteOrder,
    read: impl Fn(&Operation) -> Option<(K, Op<V>)> + Send + Sync + 'static,
) -> Check {
    Check::new(name, move |trace, history| {
        let ops = keyed_ops(history, &read);
        let line = |index: usize| words(&ops[index]);
        match converged(&ops, nanoseconds(trace.run_for + within), write_order) {
            Err(why) => Verdict::Unknown(why.to_string()),
            Ok(found) => match found.divergences.first() {
                Some(KeyDivergence::Differ(one, other)) => {
                    Verdict::Fail(format!("not converged: {}, but {}", line(*one), line(*other)))
                }
                Some(KeyDivergence::Overwritten(read, write)) => Verdict::Fail(format!(
                    "a write is lost: {}, although overwritten by the {}",
                    line(*read),
                    line(*write)
                )),
                None if found.compared == 0 => Verdict::Unknown("no key was read twice in the end".to_owned()),
                None => Verdict::Pass,
            },
        }
    })
}
