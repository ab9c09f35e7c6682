//! Examines a run whose system calls are watched: the half of the doctor that works in the process of the run.

use serde::{Deserialize, Serialize};

use crate::sandbox::{self, Escape};
use crate::trace::Fingerprint;

/// What the process of a watched run reports about it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Examination {
    /// Everything that left the sandbox, including what the scenario allows.
    pub(super) escapes: Vec<Escape>,
    /// The reason if system calls could not be watched.
    pub(super) unwatched: Option<String>,
    /// Whether other processes of this executable see the same addresses.
    pub(super) addresses_are_fixed: bool,
    /// The fingerprint of the run.
    pub(super) fingerprint: Fingerprint,
}

impl Examination {
    /// Makes a run in this process, with its system calls watched.
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
