//! Linux: interposition, and a process for each run.

mod child;
mod hooks;
mod ledger;
mod raw;
mod shared_status;
mod start;
mod supervisor;
mod watch;
mod zygote;

use super::notes::PanicNote;

pub(super) use ledger::SharedLedger;
pub(super) use supervisor::Forker;
pub(super) use watch::watch_system_calls;
pub(super) use zygote::{is_zygote, serve};

/// Whether `Instant::now` and its kin ask the simulation.
pub(super) const INTERPOSES: bool = true;

/// Whether runs see the same addresses in every process of this executable: by the process's own choice or the system's.
pub(super) fn addresses_are_fixed() -> bool {
    zygote::addresses_are_fixed() || supervisor::randomises_nothing()
}

/// Makes sure that the hooks are part of any binary that simulates.
pub(super) fn keep_hooks_linked() {
    hooks::keep_linked();
}

/// Shows the supervisor where a run is, in case that it ends here.
#[inline]
pub(super) fn show_position(host: Option<usize>, at: u64) {
    if let Some(shared_status) = child::shared_status() {
        shared_status.show_position(host, at);
    }
}

/// Shows the supervisor a panic, in case that the run does not live to tell.
pub(super) fn show_panic(host: Option<usize>, note: &PanicNote) {
    if let Some(shared_status) = child::shared_status() {
        shared_status.show_position(host, note.at.as_nanos() as u64);
        shared_status.append_panic(note);
    }
}

/// Ends a child whose host waits for a clock that stands still; returns in any other process.
pub(super) fn end_in_spin(host: Option<usize>, at: u64) {
    if let Some(shared_status) = child::shared_status() {
        child::end(shared_status, shared_status::CLOCK_SPIN, host, at);
    }
}

/// Whether a debugger is attached to this process.
pub(super) fn is_debugged() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|pid| pid.trim() != "0")
}

/// Stops this thread for the debugger.
pub(super) fn trap() {
    // SAFETY: without a handler the signal goes to the debugger, which the caller has made sure of.
    unsafe { libc::raise(libc::SIGTRAP) };
}
