//! The Linux platform: interposed symbols, and a process for each run.

mod child;
mod deadlock;
mod hooks;
mod ledger;
mod process;
mod protocol;
mod raw;
mod shared_status;
mod start;
mod supervisor;
mod switch;
mod threads;
mod turns;
mod watch;
mod zygote;

pub(super) use hooks::keep_linked as keep_hooks_linked;
pub(super) use ledger::SharedLedger;
pub(super) use process::{end_in_spin, show_panic, show_position};
pub(super) use protocol::is_zygote;
pub(super) use supervisor::{Forker, addresses_are_fixed};
pub(super) use threads::{Turns, is_thread_of_program, next_request_of_thread};
pub(super) use watch::watch_system_calls;
pub(super) use zygote::serve;

/// Whether `Instant::now` and similar functions read the simulation's clocks.
pub(super) const INTERPOSES: bool = true;

/// Whether a debugger is attached to this process.
pub(super) fn is_debugged() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|pid| pid.trim() != "0")
}

/// Stops this thread for the debugger.
pub(super) fn trap() {
    // SAFETY: there is no handler, so the signal goes to the debugger; the caller has checked that one is attached.
    unsafe { libc::raise(libc::SIGTRAP) };
}
