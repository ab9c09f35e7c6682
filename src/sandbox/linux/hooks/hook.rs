//! What the lists of hooks are made of.

use std::ffi::c_void;

/// The address of a hook.
pub(super) struct Hook(pub(super) *const c_void);

// SAFETY: the pointers are addresses of functions, which are never written.
unsafe impl Sync for Hook {}

/// A hook that makes the same call as a system call, by what it returns: an `int`, of which only the lower half of the
/// register counts, or a whole register.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    Int(*const c_void),
    Long(*const c_void),
}
