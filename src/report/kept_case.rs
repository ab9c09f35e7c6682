//! A kept case that was run again, as results show it.

use std::time::Duration;

use crate::explore::Status;

/// A kept case that was run again.
#[derive(Clone, Debug)]
pub struct KeptCase {
    /// The name of its test: `SCENARIO::regression::FILE`.
    pub name: String,
    /// How long that took.
    pub took: Duration,
    /// The status of the run.
    pub status: Status,
    /// The screen of the run; empty if it passed.
    pub screen: String,
}
