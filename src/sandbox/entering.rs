//! How a thread begins to simulate, how a host's runtime is registered, and who answers for descriptors.

use std::sync::Arc;

use super::descriptors::Descriptors;
use super::escapes::record_escape;
use super::notes::EscapeKind;
use super::platform;
use super::simulated::{self, Settings};

/// Makes this thread simulate from now on: clocks and entropy are virtual, and escapes are recorded.
///
/// # Panics
/// If this thread already simulates.
pub fn enter(settings: Settings) {
    platform::keep_hooks_linked();
    simulated::enter(settings);
}

/// Registers the current tokio runtime as that of `host`. Each life of a program calls this at its first poll.
///
/// # Panics
/// Outside a tokio runtime, and for a host that [`Settings::hosts`] does not name.
pub fn enter_host(host: usize) {
    if !simulated::enter_host(host) {
        record_escape(EscapeKind::UnpausedRuntime, || "the runtime's time is not paused".to_owned());
    }
}

/// Registers the current tokio runtime as that of `host`, which is run until it rests, so its time is not paused.
pub fn enter_jumping_host(host: usize) {
    simulated::enter_host(host);
}

/// Lets these descriptors answer until the simulation of this thread ends.
pub fn serve_descriptors(descriptors: Arc<dyn Descriptors>) {
    if let Some(simulation) = simulated::simulation() {
        let served = simulation.descriptors.set(descriptors);
        assert!(served.is_ok(), "descriptors are served once for each simulation");
    }
}
