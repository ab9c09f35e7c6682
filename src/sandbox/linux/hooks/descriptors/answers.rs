//! What the hooks of this folder share: whether a number is simulated, who answers, waiting, and the C library's convention
//! for results.

use libc::{c_int, c_long};

use super::super::super::raw::set_errno;
use super::super::super::threads::is_thread_of_program;
use super::super::super::turns;
use crate::sandbox::descriptors::{Descriptors, Errno, FIRST_DESCRIPTOR};
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::simulation;

/// Whether a number is one of the simulated machine.
#[inline]
pub(super) fn is_simulated(fd: c_int) -> bool {
    fd >= FIRST_DESCRIPTOR
}

/// The descriptors of the simulation on this thread; `EBADF` where there are none.
pub(super) fn descriptors<'a>() -> Result<&'a dyn Descriptors, Errno> {
    makers().ok_or(libc::EBADF)
}

/// The descriptors of the simulation on this thread, if its scenario asks for them.
pub(super) fn makers<'a>() -> Option<&'a dyn Descriptors> {
    simulation()?.descriptors.get().map(AsRef::as_ref)
}

/// Carries out a call that may have to wait: it is tried again whenever a descriptor changes, until it returns something
/// else than `EAGAIN`. It does not wait if the descriptor is not to wait, and on the thread of a runtime it cannot.
pub(super) fn waiting<T>(fd: c_int, mut call: impl FnMut(&dyn Descriptors) -> Result<T, Errno>) -> Result<T, Errno> {
    let descriptors = descriptors()?;
    let first = call(descriptors);
    if !matches!(first, Err(libc::EAGAIN)) || descriptors.is_nonblocking(fd)? {
        return first;
    }
    if !is_thread_of_program() {
        record_escape(EscapeKind::RefusedCall, || "a socket that blocks, on the thread of a runtime".to_owned());
    }
    let mut last = first;
    turns::wait_until(descriptors.time_limit(fd), || {
        last = call(descriptors);
        Ok(!matches!(last, Err(libc::EAGAIN)))
    })?;
    last
}

/// A result in the C library's convention: -1 and `errno` on failure.
pub(super) fn answer(result: Result<isize, Errno>) -> isize {
    result.unwrap_or_else(|error| {
        set_errno(error);
        -1
    })
}

/// The same for calls that return an `int`.
pub(super) fn status(result: Result<c_int, Errno>) -> c_int {
    answer(result.map(|value| value as isize)) as c_int
}

/// The same for calls that return nothing but success.
pub(super) fn done(result: Result<(), Errno>) -> c_int {
    status(result.map(|()| 0))
}

/// What a system call returned, as a length.
pub(super) fn length(returned: c_long) -> isize {
    returned as isize
}
