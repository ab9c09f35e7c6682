//! The real name of the directory for temporary files, which differs from run to run, is hidden: its path looks like that of a
//! plain directory, and what the C library resolves to its real name is named by that path again.

use std::ffi::CStr;

use libc::{c_char, c_int, size_t};

use super::super::super::raw::call;
use super::super::super::temporary::PATH;
use super::super::hook::{Hook, next};
use super::asked;

/// The hooks of this file.
pub(in super::super) static HOOKS: [Hook; 1] = [Hook(getcwd as *const _)];

/// Whether this path is that of the directory.
pub(super) fn is_directory(path: &CStr) -> bool {
    path == PATH
}

/// The flags with which a program looks at this path: what leads to the directory is no link.
///
/// # Safety
/// `path` must be null or a C string.
pub(super) unsafe fn followed(path: *const c_char, flags: c_int) -> c_int {
    if flags & libc::AT_SYMLINK_NOFOLLOW == 0 || path.is_null() || asked().is_none() {
        return flags;
    }
    // SAFETY: the caller vouches for the path.
    let path = unsafe { CStr::from_ptr(path) };
    let leads_there = path == c"/proc/self" || is_directory(path);
    if leads_there { flags & !libc::AT_SYMLINK_NOFOLLOW } else { flags }
}

/// Replaces the directory's real name, if a program's text begins with it.
///
/// # Safety
/// `text` must be null or a C string that may be written.
pub(super) unsafe fn hide(text: *mut c_char) {
    if text.is_null() || asked().is_none() {
        return;
    }
    let mut real = [0_u8; 4096];
    let length = call!(libc::SYS_readlinkat, libc::AT_FDCWD, PATH.as_ptr(), real.as_mut_ptr(), real.len());
    let real = &real[..length.max(0) as usize];
    // SAFETY: the caller vouches for the text.
    let found = unsafe { CStr::from_ptr(text) }.to_bytes();
    let Some(rest) = found.strip_prefix(real) else { return };
    // Real names are longer: they have at least a directory of the user and one of the zygote.
    if real.len() < PATH.to_bytes().len() || !matches!(rest.first(), None | Some(b'/')) {
        return;
    }
    let mut hidden = [PATH.to_bytes(), rest].concat();
    hidden.push(0);
    // SAFETY: the new text is not longer than the old one.
    unsafe { text.cast::<u8>().copy_from_nonoverlapping(hidden.as_ptr(), hidden.len()) };
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn getcwd(buffer: *mut c_char, size: size_t) -> *mut c_char {
    let null = std::ptr::null_mut();
    let found = next!(c"getcwd", unsafe extern "C" fn(*mut c_char, size_t) -> *mut c_char, null, buffer, size);
    // SAFETY: the C library has written it.
    unsafe { hide(found) };
    found
}
