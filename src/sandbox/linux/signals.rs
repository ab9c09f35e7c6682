//! When a program's handler is told that another process has ended.
//!
//! That signal comes at any time, also while a hook holds a lock of the simulation. A handler that then made a call which needs
//! the lock, as one that writes to a simulated pipe, would wait for ever for the code that it interrupts. So the signal is
//! held back, and let in where a program waits.

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, sigset_t};

/// Whether this process has started another one. Without one, no signal is there to let in.
static HAS_CHILDREN: AtomicBool = AtomicBool::new(false);

/// The signal of children, alone in a set.
fn of_children() -> sigset_t {
    // SAFETY: a set of zeros is valid, and both calls only change it.
    unsafe {
        let mut set: sigset_t = mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        set
    }
}

fn change_mask(how: c_int) {
    // SAFETY: the set is valid.
    unsafe { libc::pthread_sigmask(how, &of_children(), ptr::null_mut()) };
}

/// Holds the signal back in this thread and in those that it starts.
pub(super) fn hold_back() {
    change_mask(libc::SIG_BLOCK);
}

/// Lets the signal come at any time, while another process is started, which inherits this.
pub(super) fn open() {
    expect_children();
    change_mask(libc::SIG_UNBLOCK);
}

/// From now on, signals of children may be there to let in.
pub(super) fn expect_children() {
    HAS_CHILDREN.store(true, Ordering::Relaxed);
}

/// Lets a signal in that was held back. The caller holds no lock that a hook takes.
pub(super) fn let_in() {
    if HAS_CHILDREN.load(Ordering::Relaxed) {
        change_mask(libc::SIG_UNBLOCK);
        hold_back();
    }
}
