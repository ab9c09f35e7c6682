//! The status of an exploration or a run, with its word and its exit code.

use serde::{Deserialize, Serialize};

/// The status of an exploration or of one run, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All promises were kept.
    Pass,
    /// The verdict of some runs is unknown.
    Unknown,
    /// The same case gave different runs.
    #[serde(rename = "not deterministic")]
    NotDeterministic,
    /// A promise was broken.
    Fail,
}

impl Status {
    /// `pass`, `unknown`, `not deterministic` or `fail`.
    pub fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Unknown => "unknown",
            Status::NotDeterministic => "not deterministic",
            Status::Fail => "fail",
        }
    }

    /// The exit code: 0 for a pass, 1 for a failure, 3 for an unknown verdict or different runs of one case.
    pub fn exit_code(self) -> u8 {
        match self {
            Status::Pass => 0,
            Status::Fail => 1,
            Status::Unknown | Status::NotDeterministic => 3,
        }
    }
}
