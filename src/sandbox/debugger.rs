//! Stops this process for a debugger, if there is one.

use super::platform;
use super::simulated::simulation;

/// Raises SIGTRAP if a debugger is attached to this process; whether it is.
pub fn trap_if_debugged() -> bool {
    // Asking opens a file, which is not the simulated code's doing.
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
