//! The patterns that show that a queue is not linearizable, as data and in words.

use super::{QueueOp, QueueOutput, TypedHistory, Value};
use crate::check::linear::violation::describe;

/// A pattern that shows that a queue is not linearizable. Operations are positions in the history; the named ones
/// suffice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The dequeue took a value that was never enqueued, or an operation returned an output that it cannot have.
    Unknown {
        /// The operation.
        dequeue: usize,
    },
    /// The dequeue returned before its value was enqueued.
    Early {
        /// The dequeue.
        dequeue: usize,
        /// The enqueue.
        enqueue: usize,
    },
    /// Both dequeues took the same value.
    Twice {
        /// One dequeue.
        first: usize,
        /// The other.
        second: usize,
    },
    /// The first value was enqueued before the second one, but it was taken after the second one, or never.
    Overtaken {
        /// The enqueue of the first value.
        first: usize,
        /// The dequeue of the first value; `None` if it was never taken.
        taken: Option<usize>,
        /// The enqueue of the second value.
        second: usize,
        /// The dequeue of the second value.
        before: usize,
    },
    /// The dequeue found the queue empty, but at every moment during it one of these values was in the queue.
    NeverEmpty {
        /// The dequeue.
        dequeue: usize,
        /// The enqueues of the values.
        values: Vec<usize>,
        /// The dequeues that took them later.
        taken: Vec<usize>,
    },
    /// These values must be gone by some moment, but too few dequeues with unknown outcomes were called by then to have
    /// taken them all.
    TooMany {
        /// The enqueues of the values.
        values: Vec<usize>,
        /// The dequeues that require them to be gone, and the enqueues of the values that these took.
        because: Vec<usize>,
    },
}

impl Wrong {
    /// The operations that suffice to show the pattern.
    pub fn operations(&self) -> Vec<usize> {
        match self {
            Wrong::Unknown { dequeue } => vec![*dequeue],
            Wrong::Early { dequeue, enqueue } => vec![*dequeue, *enqueue],
            Wrong::Twice { first, second } => vec![*first, *second],
            Wrong::Overtaken { first, taken, second, before } => {
                [*first, *second, *before].into_iter().chain(*taken).collect()
            }
            Wrong::NeverEmpty { dequeue, values, taken } => {
                values.iter().chain(taken).chain([dequeue]).copied().collect()
            }
            Wrong::TooMany { values, because } => values.iter().chain(because).copied().collect(),
        }
    }

    /// Describes the pattern in one line.
    pub fn summary<V: Value>(&self, history: &TypedHistory<QueueOp<V>, QueueOutput<V>>) -> String {
        let line = |index: usize| history.entries().get(index).map(describe).unwrap_or_default();
        let lines = |indices: &[usize]| indices.iter().take(4).map(|index| line(*index)).collect::<Vec<_>>().join(", ");
        let what = match self {
            Wrong::Unknown { dequeue } => format!("{} returns a value that was never enqueued", line(*dequeue)),
            Wrong::Early { dequeue, enqueue } => {
                format!("{} returned before {} was called", line(*dequeue), line(*enqueue))
            }
            Wrong::Twice { first, second } => format!("{} and {} take the same value", line(*first), line(*second)),
            Wrong::Overtaken { first, taken, second, before } => {
                let taken =
                    taken.map_or("is never taken".to_owned(), |taken| format!("is taken later by {}", line(taken)));
                let (first, second, before) = (line(*first), line(*second), line(*before));
                format!("{first} comes before {second}, which is taken by {before}, but the first value {taken}")
            }
            Wrong::NeverEmpty { dequeue, values, .. } => {
                format!(
                    "{} although the queue is never empty meanwhile, because of {} values: {}",
                    line(*dequeue),
                    values.len(),
                    lines(values)
                )
            }
            Wrong::TooMany { values, because } => format!(
                "{} values must be gone, but fewer dequeues with unknown outcomes were called by then: {}; \
                 required by {}",
                values.len(),
                lines(values),
                lines(because)
            ),
        };
        format!("not linearizable: {what}")
    }
}
