//! Devices of entropy that code under test opens: a real descriptor, from which reading gives the seed's entropy.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{c_int, size_t};

use super::super::super::raw::{call, set_errno};

/// Which descriptors below 64 are devices of entropy, one bit for each.
static OPEN: AtomicU64 = AtomicU64::new(0);
/// How many descriptors can be.
const MOST: c_int = 64;

fn bit(descriptor: c_int) -> u64 {
    if (0..MOST).contains(&descriptor) { 1 << descriptor } else { 0 }
}

/// Opens one.
pub(in super::super) fn open() -> c_int {
    let flags = libc::O_RDWR | libc::O_CLOEXEC;
    let descriptor = call!(libc::SYS_openat, libc::AT_FDCWD, c"/dev/zero".as_ptr(), flags, 0) as c_int;
    if descriptor >= MOST {
        call!(libc::SYS_close, descriptor);
        set_errno(libc::EMFILE);
        return -1;
    }
    if descriptor >= 0 {
        OPEN.fetch_or(bit(descriptor), Ordering::Relaxed);
    }
    descriptor
}

/// Whether a descriptor is one.
#[inline]
pub(in super::super) fn is_open(descriptor: c_int) -> bool {
    let open = OPEN.load(Ordering::Relaxed);
    open != 0 && open & bit(descriptor) != 0
}

/// Forgets a descriptor that is closed.
#[inline]
pub(in super::super) fn close(descriptor: c_int) {
    if is_open(descriptor) {
        OPEN.fetch_and(!bit(descriptor), Ordering::Relaxed);
    }
}

/// Reads from a descriptor, if it is one; returns whether it is.
///
/// # Safety
/// The buffer must be valid for `size` bytes.
#[inline]
pub(in super::super) unsafe fn read(descriptor: c_int, buffer: *mut c_void, size: size_t) -> bool {
    // SAFETY: the caller vouches for the buffer.
    is_open(descriptor) && unsafe { super::fill(buffer, size) }
}
