//! The state of this process as the child of a zygote: its shared status, its number of threads, and how it ends.

use std::ffi::c_void;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use libc::{c_int, siginfo_t};

use super::shared_status::{CLOCK_SPIN, SharedStatus};
use crate::sandbox::notes::PanicNote;

/// The shared status of this process; null unless it is a child.
static SHARED_STATUS: AtomicPtr<SharedStatus> = AtomicPtr::new(ptr::null_mut());
/// How many threads this process has started since it was forked.
static THREADS: AtomicU32 = AtomicU32::new(0);

/// Makes this process a child, with this shared status and no other thread.
pub(super) fn become_child(shared_status: &'static SharedStatus) {
    SHARED_STATUS.store(ptr::from_ref(shared_status).cast_mut(), Ordering::Relaxed);
    THREADS.store(0, Ordering::Relaxed);
}

/// The shared status, if this process is a child.
#[inline]
pub(super) fn shared_status() -> Option<&'static SharedStatus> {
    // SAFETY: the pointer is null or points to a mapping that lasts as long as the process.
    unsafe { SHARED_STATUS.load(Ordering::Relaxed).as_ref() }
}

/// Counts a thread that is about to start.
pub(super) fn count_thread() {
    THREADS.fetch_add(1, Ordering::Relaxed);
}

/// Whether this process has started no thread since it was forked.
pub(super) fn is_alone() -> bool {
    THREADS.load(Ordering::Relaxed) == 0
}

/// Ends this process and stores why and where.
pub(super) fn end(shared_status: &SharedStatus, why: u32, host: Option<usize>, at: u64) -> ! {
    shared_status.show_final_position(host, at);
    shared_status.set_end(why);
    // SAFETY: `_exit` only ends the process. Destructors must not run.
    unsafe { libc::_exit(0) }
}

/// Shows the supervisor the run's position, in case it ends here.
#[inline]
pub(in crate::sandbox) fn show_position(host: Option<usize>, at: u64) {
    if let Some(shared_status) = shared_status() {
        shared_status.show_position(host, at);
    }
}

/// Shows the supervisor a panic, in case the run does not return.
pub(in crate::sandbox) fn show_panic(host: Option<usize>, note: &PanicNote) {
    if let Some(shared_status) = shared_status() {
        shared_status.show_position(host, note.at.as_nanos() as u64);
        shared_status.append_panic(note);
    }
}

/// Ends a child whose host spins on a clock that stands still. Returns in any other process.
pub(in crate::sandbox) fn end_in_spin(host: Option<usize>, at: u64) {
    if let Some(shared_status) = shared_status() {
        end(shared_status, CLOCK_SPIN, host, at);
    }
}

pub(super) type SignalHandler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Installs a signal handler that runs on the alternate stack; `flags` are added to its flags.
///
/// # Safety
/// `previous` must be null or valid for writing an action, and the handler must be async-signal-safe.
pub(super) unsafe fn install(signal: c_int, handler: SignalHandler, flags: c_int, previous: *mut libc::sigaction) {
    // SAFETY: all zeros is a valid action, and the caller vouches for the rest.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | flags;
        libc::sigaction(signal, &action, previous);
    }
}
