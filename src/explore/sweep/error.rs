//! The errors for which a sweep has no result.

use super::journal::JournalError;
use crate::case_file::CaseFileError;
use crate::explore::error::Error;

/// Why a sweep has no result.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A run cannot be carried out at all.
    #[error(transparent)]
    Run(#[from] Error),
    /// The run without faults does not pass.
    #[error("a sweep needs a run without faults that passes, so fix this first or choose another --seed: {0}")]
    Control(String),
    /// The run without faults has no points.
    #[error(
        "there is nothing to sweep: the run without faults has no message between two hosts and no named event before \
         the end of its last operation; let the clients do more with --operations all"
    )]
    NoPoints,
    /// No host goes down.
    #[error("no host of the scenario matches `{0}`: name a host, a group or a pattern such as `api-*` with --hosts")]
    NoHosts(String),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A failing case cannot be saved.
    #[error(transparent)]
    Case(#[from] CaseFileError),
}
