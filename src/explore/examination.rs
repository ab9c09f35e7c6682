//! A run under closer watch, and what it tells: the half of the doctor that is in the process of the run.

use serde::{Deserialize, Serialize};

use crate::sandbox::{self, Escape};
use crate::trace::Fingerprint;

/// What a run under closer watch did, as its process tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Examination {
    /// All that left the sandbox, also what the scenario allows.
    pub(super) escapes: Vec<Escape>,
    /// Why system calls could not be watched, if they could not.
    pub(super) unwatched: Option<String>,
    /// Whether other processes of this executable see the same addresses.
    pub(super) addresses_are_fixed: bool,
    /// Of the run.
    pub(super) fingerprint: Fingerprint,
}

impl Examination {
    /// Carries out a run and tells what it did; in the process of the run.
    pub(crate) fn of(run: impl FnOnce() -> Fingerprint) -> Examination {
        let watched = sandbox::watch_system_calls();
        let fingerprint = run();
        Examination {
            fingerprint,
            escapes: sandbox::last_escapes(),
            unwatched: watched.err(),
            addresses_are_fixed: sandbox::addresses_are_fixed(),
        }
    }
}
