//! The Linux platform: interposed symbols, and a process for each run.

mod blocked;
mod child;
mod counter;
mod deadlock;
mod hooks;
mod ledger;
mod preemption;
mod process;
mod protocol;
mod raw;
mod shared_status;
mod signals;
mod stack;
mod start;
mod supervisor;
mod switch;
mod temporary;
mod threads;
mod turns;
mod vdso;
mod watch;
mod zygote;

pub(super) use hooks::keep_linked as keep_hooks_linked;
pub(super) use ledger::SharedLedger;
pub(super) use process::{end_in_spin, show_panic, show_position};
pub(super) use protocol::is_zygote;
pub(super) use stack::{begin, on_moved_stack};
pub(super) use supervisor::{Forker, addresses_are_fixed};
pub(super) use threads::{Turns, is_thread_of_program, next_request_of_thread};
pub(super) use watch::watch_system_calls;
pub(super) use zygote::serve;

/// Whether `Instant::now` and similar functions read the simulation's clocks.
pub(super) const INTERPOSES: bool = true;

/// Whether a debugger is attached to this process.
pub(super) fn is_debugged() -> bool {
    // The file that a simulated process reads says nothing of debuggers.
    let mut text = [0_u8; 4096];
    let file = raw::call!(libc::SYS_openat, libc::AT_FDCWD, c"/proc/self/status".as_ptr(), libc::O_RDONLY);
    let length = raw::call!(libc::SYS_read, file, text.as_mut_ptr(), text.len());
    raw::call!(libc::SYS_close, file);
    let status = String::from_utf8_lossy(&text[..length.max(0) as usize]);
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|pid| pid.trim() != "0")
}

/// Stops this thread for the debugger.
pub(super) fn trap() {
    // SAFETY: there is no handler, so the signal goes to the debugger; the caller has checked that one is attached.
    unsafe { libc::raise(libc::SIGTRAP) };
}
