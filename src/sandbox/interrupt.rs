//! Whether a person has asked the program to end, with Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};

static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on, the first Ctrl-C is only noted, so that what is known can be shown; the second ends the program.
pub(crate) fn note_interrupts() {
    #[cfg(unix)]
    // SAFETY: the handler calls only what may be called in one.
    unsafe {
        libc::signal(libc::SIGINT, on_interrupt as *const () as libc::sighandler_t);
    }
}

/// Whether there was one.
pub(crate) fn is_interrupted() -> bool {
    IS_INTERRUPTED.load(Ordering::Relaxed)
}

#[cfg(unix)]
extern "C" fn on_interrupt(_: libc::c_int) {
    if IS_INTERRUPTED.swap(true, Ordering::Relaxed) {
        // SAFETY: `_exit` may be called in a signal handler.
        unsafe { libc::_exit(INTERRUPTED) }
    }
}

/// The exit code of a program that was interrupted, as shells have it.
pub(crate) const INTERRUPTED: i32 = 130;
