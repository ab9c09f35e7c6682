//! Stops this process for an attached debugger.

use super::platform;
use super::simulated::simulation;

/// Raises SIGTRAP if a debugger is attached to this process. Returns whether one is attached.
pub fn trap_if_debugged() -> bool {
    // The check opens a file, which must not be recorded as an escape of the simulated code.
    let was_quiet = simulation().map(|simulation| simulation.clocks.set_quiet(true));
    let is_debugged = platform::is_debugged();
    if let (Some(simulation), Some(was_quiet)) = (simulation(), was_quiet) {
        simulation.clocks.set_quiet(was_quiet);
    }
    if is_debugged {
        platform::trap();
    }
    is_debugged
}
