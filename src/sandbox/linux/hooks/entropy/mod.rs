//! Hooks for entropy: keyed by the seed while a thread simulates, constant in the rest of a zygote and its children.

pub(super) mod arc4random;
pub(super) mod devices;

use std::cell::Cell;
use std::ffi::c_void;

use libc::{c_int, c_uint, size_t, ssize_t};

use super::super::protocol::is_zygote;
use super::super::raw::{call, set_errno};
use crate::sandbox::simulated::simulation;
use crate::seed::Seed;

/// Fills the buffer, or returns false if this thread gets its entropy from the operating system.
///
/// # Safety
/// The buffer must be valid for `length` bytes.
pub(super) unsafe fn fill(buffer: *mut c_void, length: usize) -> bool {
    let simulation = simulation();
    if simulation.is_none() && !is_zygote() {
        return false;
    }
    if length == 0 {
        return true;
    }
    // SAFETY: the caller vouches for the buffer, which is initialised before the slice is made.
    let buffer = unsafe {
        buffer.cast::<u8>().write_bytes(0, length);
        std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length)
    };
    match simulation {
        Some(simulation) => simulation.fill(buffer),
        // What a zygote draws before it forks, such as the keys of its hash maps, persists in every child.
        None => {
            // Each thread draws the same sequence, because the order of libtest's threads varies.
            thread_local! {
                static REQUESTS: Cell<u64> = const { Cell::new(0) };
            }
            let n = REQUESTS.replace(REQUESTS.get() + 1);
            for (word, chunk) in buffer.chunks_mut(8).enumerate() {
                let bytes = Seed(0).decide("entropy of the zygote", &[n, word as u64]).to_le_bytes();
                chunk.copy_from_slice(&bytes[..chunk.len()]);
            }
        }
    }
    true
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: the caller vouches for the buffer.
    if unsafe { fill(buffer, length) } {
        return length as ssize_t;
    }
    call!(libc::SYS_getrandom, buffer, length, flags) as ssize_t
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getentropy(buffer: *mut c_void, length: size_t) -> c_int {
    if length > 256 {
        set_errno(libc::EIO);
        return -1;
    }
    let mut filled = 0;
    while filled < length {
        // SAFETY: the range is the rest of the caller's buffer.
        let n = unsafe { getrandom(buffer.cast::<u8>().add(filled).cast(), length - filled, 0) };
        if n < 0 {
            // SAFETY: the pointer to this thread's `errno` is always valid.
            if unsafe { *libc::__errno_location() } == libc::EINTR {
                continue;
            }
            return -1;
        }
        filled += n as usize;
    }
    0
}
