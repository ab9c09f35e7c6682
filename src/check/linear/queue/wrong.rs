//! What a wrong queue did, as data and in words. It does not judge.

use super::{QueueOp, QueueOutput, TypedHistory, Value};
use crate::check::linear::violation::words;

/// What a wrong queue did. Operations are positions in the history; those that are named suffice to be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The dequeue took what nobody enqueued.
    Unknown {
        /// The dequeue.
        dequeue: usize,
    },
    /// The dequeue had returned before its value was enqueued.
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
    /// The first value was in before the second was enqueued, and is taken after the second was, or never.
    Overtaken {
        /// The enqueue of the first value.
        first: usize,
        /// The dequeue of the first value; none if nobody takes it.
        taken: Option<usize>,
        /// The enqueue of the second value.
        second: usize,
        /// The dequeue of the second value.
        before: usize,
    },
    /// The dequeue found nothing, and at every moment of it one of these values was in the queue.
    NeverEmpty {
        /// The dequeue.
        dequeue: usize,
        /// The enqueues of the values.
        values: Vec<usize>,
        /// The dequeues that took them later.
        taken: Vec<usize>,
    },
    /// These values must be gone, or the dequeues found nothing although they are there, and fewer dequeues with
    /// unknown outcomes were called by then than could have taken them.
    TooMany {
        /// The enqueues of the values.
        values: Vec<usize>,
        /// The dequeues that need them gone, and the enqueues of what these took.
        because: Vec<usize>,
    },
}

impl Wrong {
    /// The operations that suffice to be wrong.
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

    /// What is wrong, in one line.
    pub fn summary<V: Value>(&self, history: &TypedHistory<QueueOp<V>, QueueOutput<V>>) -> String {
        let line = |index: usize| history.entries().get(index).map(words).unwrap_or_default();
        let lines = |indices: &[usize]| indices.iter().take(4).map(|index| line(*index)).collect::<Vec<_>>().join(", ");
        let what = match self {
            Wrong::Unknown { dequeue } => format!("{} takes what nobody enqueued", line(*dequeue)),
            Wrong::Early { dequeue, enqueue } => format!("{} comes before {}", line(*dequeue), line(*enqueue)),
            Wrong::Twice { first, second } => format!("{} and {} take the same", line(*first), line(*second)),
            Wrong::Overtaken { first, taken, second, before } => {
                let taken =
                    taken.map_or("is never taken".to_owned(), |taken| format!("is taken later by {}", line(taken)));
                let (first, second, before) = (line(*first), line(*second), line(*before));
                format!("{first} comes before {second}, which is taken by {before}, but the first {taken}")
            }
            Wrong::NeverEmpty { dequeue, values, .. } => {
                format!("{} while the queue is never empty: {} values, {}", line(*dequeue), values.len(), lines(values))
            }
            Wrong::TooMany { values, because } => format!(
                "{} values must be gone, more than dequeues with unknown outcomes were called by then: {}; because of {}",
                values.len(),
                lines(values),
                lines(because)
            ),
        };
        format!("not linearizable: {what}")
    }
}
