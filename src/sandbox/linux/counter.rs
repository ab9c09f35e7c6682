//! The processor's counter of time: reads of it are answered with virtual time where they can be made to fault.

#[cfg(target_arch = "x86_64")]
#[path = "counter_x86_64.rs"]
mod machine;

#[cfg(target_arch = "aarch64")]
mod machine {
    //! Reads of the counter cannot be made to fault on this architecture.

    pub(super) fn trap() {}

    pub(super) fn leave() {}

    pub(super) unsafe fn emulate_read(_: *mut libc::siginfo_t, _: *mut std::ffi::c_void) -> bool {
        false
    }
}

use std::ffi::c_void;

use libc::siginfo_t;

use super::process::shared_status;
use super::raw::call;
use super::signals;

/// Lets reads of the counter fault from now on.
pub(super) fn trap() {
    machine::trap();
}

/// Called for a fault. Answers a read of the counter; returns false for any other fault.
///
/// # Safety
/// The arguments must be what the kernel gave to the handler of SIGSEGV.
pub(super) unsafe fn emulate_read(information: *mut siginfo_t, context: *mut c_void) -> bool {
    // SAFETY: the caller vouches for the arguments.
    unsafe { machine::emulate_read(information, context) }
}

/// Starts another process, which inherits whether reads of the counter fault but not who answers them, and which signals are
/// held back.
pub(super) fn start_process<T>(start: impl FnOnce() -> T) -> T {
    let own_process = shared_status().map(|_| call!(libc::SYS_getpid));
    if own_process.is_some() {
        machine::leave();
        signals::open();
    }
    let result = start();
    // Not in a copy of this process.
    if own_process.is_some_and(|process| process == call!(libc::SYS_getpid)) {
        signals::hold_back();
        machine::trap();
    }
    result
}
