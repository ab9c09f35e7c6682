//! How a thread begins to simulate, and how a host's runtime becomes known.

use super::escapes::record_escape;
use super::notes::EscapeKind;
use super::platform;
use super::simulated::{self, Settings};

/// From now on this thread simulates: clocks and entropy are virtual, and what escapes is recorded.
///
/// # Panics
/// If this thread already simulates.
pub fn enter(settings: Settings) {
    platform::keep_hooks_linked();
    simulated::enter(settings);
}

/// Tells that the current tokio runtime is that of `host`. To be called by each life of a program at its first poll.
///
/// # Panics
/// Outside a tokio runtime, and for a host that [`Settings::hosts`] does not name.
pub fn enter_host(host: usize) {
    if !simulated::enter_host(host) {
        record_escape(EscapeKind::UnpausedRuntime, || "the runtime's time is not paused".to_owned());
    }
}
