//! What a decoder makes of an operation, and the error that names an operation that it cannot read.

use std::error::Error;
use std::time::Duration;

use super::{CountedVerdict, life};
use crate::history::Operation;

/// What a check's decoder returns: the operation in the check's own terms, `Ok(None)` to leave the operation out, or why
/// it cannot be read. An operation that cannot be read is never skipped: the check fails and names it.
pub type Decoded<T> = Result<Option<T>, Box<dyn Error + Send + Sync>>;

/// A decoder cannot read an operation, so the history cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the decoder of this check cannot read {operation}: {reason}")]
pub struct Unreadable {
    /// The operation: its name, input, client and answer.
    pub operation: String,
    /// Why it cannot be read.
    pub reason: String,
    /// When it ended, or when it was invoked if it never did.
    pub at: Duration,
}

impl Unreadable {
    pub(super) fn new(operation: &Operation, reason: impl ToString) -> Unreadable {
        let at = operation.completed.as_ref().map_or(operation.invoked_at, |(at, _)| *at);
        Unreadable { operation: life::describe(operation), reason: reason.to_string(), at }
    }
}

/// What cannot be read cannot pass.
impl From<Unreadable> for CountedVerdict {
    fn from(unreadable: Unreadable) -> CountedVerdict {
        CountedVerdict::broken(1, unreadable.to_string()).at(unreadable.at)
    }
}

/// Decodes an operation; the error names it.
pub(super) fn decode<T>(
    operation: &Operation,
    read: impl Fn(&Operation) -> Decoded<T>,
) -> Result<Option<T>, Unreadable> {
    read(operation).map_err(|error| Unreadable::new(operation, error))
}
