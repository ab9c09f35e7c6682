//! Hooks for the C library's own generator, which asks the kernel by calls of its own.

use std::ffi::c_void;

use libc::size_t;

use super::super::hook::Hook;
use super::getrandom;

/// The hooks of this file.
pub(in super::super) static HOOKS: [Hook; 3] =
    [Hook(arc4random as *const _), Hook(arc4random_buf as *const _), Hook(arc4random_uniform as *const _)];

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn arc4random() -> u32 {
    let mut bytes = [0_u8; 4];
    // SAFETY: the buffer is as long as stated.
    unsafe { arc4random_buf(bytes.as_mut_ptr().cast(), bytes.len()) };
    u32::from_ne_bytes(bytes)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn arc4random_buf(buffer: *mut c_void, length: size_t) {
    let mut filled = 0;
    while filled < length {
        // SAFETY: the range is the rest of the caller's buffer.
        let read = unsafe { getrandom(buffer.cast::<u8>().add(filled).cast(), length - filled, 0) };
        filled += read.max(0) as usize;
    }
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn arc4random_uniform(bound: u32) -> u32 {
    // The 64 bits of the product's numbers make all answers equally likely, but for one in four billion.
    let wide = u64::from(arc4random()) << 32 | u64::from(arc4random());
    ((u128::from(wide) * u128::from(bound)) >> 64) as u32
}
