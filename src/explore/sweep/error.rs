//! Why a sweep could not be carried out.

use super::journal::JournalError;
use crate::case_file::CaseFileError;
use crate::explore::error::Error;

/// Why a sweep could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A run cannot be carried out at all.
    #[error(transparent)]
    Run(#[from] Error),
    /// The run without faults does not pass.
    #[error("the run without faults does not pass: {0}")]
    Control(String),
    /// Nothing can go wrong anywhere.
    #[error(
        "the run without faults has no points: no message between two hosts and no named event before the end of its last operation"
    )]
    NoPoints,
    /// No host goes down.
    #[error("no host of the scenario is meant by `{0}`")]
    NoHosts(String),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A failing case cannot be saved.
    #[error(transparent)]
    Case(#[from] CaseFileError),
}
