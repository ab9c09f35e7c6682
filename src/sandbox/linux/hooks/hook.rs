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

/// Calls the C library's definition that a hook hides, or gives this if there is none.
macro_rules! next {
    ($name:literal, $kind:ty, $failed:expr, $($argument:expr),*) => {{
        static NEXT: $crate::sandbox::platform::raw::Next = $crate::sandbox::platform::raw::Next::new($name);
        // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
        match unsafe { NEXT.get::<$kind>() } {
            Some(next) => unsafe { next($($argument),*) },
            None => $failed,
        }
    }};
}
pub(super) use next;
