//! Hooks for files of the operating system: opening one succeeds as usual and is recorded.

use std::ffi::CStr;

use libc::{c_char, c_int, mode_t};

use super::super::raw::{call, set_errno};
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::simulation;

/// The paths that a run may read without a note: facts about the process and the machine that are the same in every
/// run, or that are hooked elsewhere.
const ALLOWED: [&[u8]; 6] =
    [b"/proc/", b"/sys/", b"/usr/share/zoneinfo", b"/etc/localtime", b"/etc/timezone", b"/dev/null"];

/// Whether a run may read the file at `path` without a note.
pub(in crate::sandbox::platform) fn is_allowed_file(path: &[u8]) -> bool {
    ALLOWED.iter().any(|allowed| path.starts_with(allowed))
}

/// # Safety
/// `path` must be null or a C string.
unsafe fn open_at(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    if simulation().is_some() && !path.is_null() {
        // SAFETY: the caller vouches for the path.
        let path = unsafe { CStr::from_ptr(path) };
        match path.to_bytes() {
            // The control group's limit of CPUs depends on the machine, so the file is hidden.
            b"/proc/self/cgroup" => {
                set_errno(libc::ENOENT);
                return -1;
            }
            b"/dev/urandom" | b"/dev/random" => {
                record_escape(EscapeKind::EntropyDevice, || path.to_string_lossy().into_owned());
            }
            bytes if is_allowed_file(bytes) => {}
            _ => record_escape(EscapeKind::RealFile, || path.to_string_lossy().into_owned()),
        }
    }
    call!(libc::SYS_openat, directory, path, flags, mode) as c_int
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller vouches for the path.
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller vouches for the path.
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller vouches for the path.
    unsafe { open_at(directory, path, flags, mode) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller vouches for the path.
    unsafe { open_at(directory, path, flags, mode) }
}
