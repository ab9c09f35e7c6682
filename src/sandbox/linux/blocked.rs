//! Waits that hold the thread of a host's runtime while virtual time passes: no task of the host goes on meanwhile.

use std::time::Duration;

use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::{BLOCKS_FROM, EscapeKind};
use crate::sandbox::simulated::{Simulation, is_dead};

/// Records a wait of the simulating thread for `what` from one virtual time to another, if it was the thread of a host's
/// runtime and waited long enough. What waits while a runtime is dropped, or outside of any, holds up nobody.
pub(super) fn note(simulation: &Simulation, slot: usize, from: u64, to: u64, what: &str) {
    let waited = Duration::from_nanos(to.saturating_sub(from));
    if waited < BLOCKS_FROM || simulation.clocks.host_of(slot).is_none() || is_dead() {
        return;
    }
    if tokio::runtime::Handle::try_current().is_ok() {
        record_escape(EscapeKind::BlockingWait, || format!("{waited:?} for {what}"));
    }
}
