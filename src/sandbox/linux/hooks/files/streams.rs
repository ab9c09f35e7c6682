//! Hooks for the C library's streams, which open files by calls of its own.

use std::ffi::{CStr, c_void};

use libc::{FILE, c_char, c_int, size_t, ssize_t};

use super::super::super::raw::{Next, call, set_errno};
use super::super::entropy;
use super::super::hook::Hook;
use super::{Special, asked, descriptor_of, look_up};

/// The hooks of this file.
pub(in super::super) static HOOKS: [Hook; 2] = [Hook(fopen as *const _), Hook(fopen64 as *const _)];

/// How a stream of one's own is read and closed; it is never written.
#[repr(C)]
struct Functions {
    read: unsafe extern "C" fn(*mut c_void, *mut c_char, size_t) -> ssize_t,
    write: *const c_void,
    seek: *const c_void,
    close: *const c_void,
}

unsafe extern "C" {
    fn fopencookie(cookie: *mut c_void, mode: *const c_char, functions: Functions) -> *mut FILE;
}

unsafe extern "C" fn read_entropy(_: *mut c_void, buffer: *mut c_char, length: size_t) -> ssize_t {
    // SAFETY: the C library passes a buffer of this length.
    if unsafe { entropy::fill(buffer.cast(), length) } { length as ssize_t } else { 0 }
}

fn of_descriptor(descriptor: c_int, mode: *const c_char) -> *mut FILE {
    if descriptor < 0 {
        return std::ptr::null_mut();
    }
    // SAFETY: the descriptor is open and belongs to nobody else, and the caller vouches for the mode.
    let stream = unsafe { libc::fdopen(descriptor, mode) };
    if stream.is_null() {
        call!(libc::SYS_close, descriptor);
    }
    stream
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE {
    if let Some(simulation) = asked().filter(|_| !path.is_null()) {
        // SAFETY: the caller vouches for the path.
        match look_up(simulation, unsafe { CStr::from_ptr(path) }) {
            Some(Special::Text(text)) => return of_descriptor(descriptor_of(&text), mode),
            Some(Special::Absent) => {
                set_errno(libc::ENOENT);
                return std::ptr::null_mut();
            }
            Some(Special::Entropy) => {
                let null = std::ptr::null();
                let functions = Functions { read: read_entropy, write: null, seek: null, close: null };
                // SAFETY: the functions need no cookie, and the caller vouches for the mode.
                return unsafe { fopencookie(std::ptr::null_mut(), mode, functions) };
            }
            None => {}
        }
    }
    static NEXT: Next = Next::new(c"fopen");
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    match unsafe { NEXT.get::<unsafe extern "C" fn(*const c_char, *const c_char) -> *mut FILE>() } {
        Some(next) => unsafe { next(path, mode) },
        None => std::ptr::null_mut(),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the caller vouches for the arguments.
    unsafe { fopen(path, mode) }
}
