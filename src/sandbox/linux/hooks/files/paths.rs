//! Hooks for calls that name a real file without opening it: looking at it, and changing directories. They pass through
//! and are recorded, except that a program's own path is the same everywhere.

use std::ffi::{CStr, c_void};

use libc::{c_char, c_int, c_uint, mode_t, size_t, ssize_t};

use super::super::super::raw::{call, pass, set_errno};
use super::super::entropy;
use super::super::hook::{Hook, next};
use super::temporary::{followed, hide, is_directory};
use super::{asked, record};

/// The hooks of this file.
pub(in super::super) static HOOKS: [Hook; 26] = [
    Hook(simulated_statx as *const _),
    Hook(stat as *const _),
    Hook(stat64 as *const _),
    Hook(lstat as *const _),
    Hook(lstat64 as *const _),
    Hook(fstatat as *const _),
    Hook(fstatat64 as *const _),
    Hook(access as *const _),
    Hook(faccessat as *const _),
    Hook(readlink as *const _),
    Hook(readlinkat as *const _),
    Hook(realpath as *const _),
    Hook(opendir as *const _),
    Hook(mkdir as *const _),
    Hook(mkdirat as *const _),
    Hook(rmdir as *const _),
    Hook(rename as *const _),
    Hook(truncate as *const _),
    Hook(utimensat as *const _),
    Hook(mkstemp as *const _),
    Hook(mkstemp64 as *const _),
    Hook(mkostemp as *const _),
    Hook(mkostemp64 as *const _),
    Hook(mkdtemp as *const _),
    Hook(tmpfile as *const _),
    Hook(tmpfile64 as *const _),
];

/// The path of every simulated program.
const PROGRAM: &[u8] = b"/usr/local/bin/program";

/// Records the path if a program asks for it.
///
/// # Safety
/// `path` must be null or a C string.
unsafe fn note(path: *const c_char) {
    if !path.is_null() && asked().is_some() {
        // SAFETY: the caller vouches for the path.
        record(unsafe { CStr::from_ptr(path) });
    }
}

/// Defines hooks that record their path and make a system call with their arguments. Where the path is not the first
/// argument, the first is a directory's descriptor.
macro_rules! recorded {
    ($($function:ident $symbol:literal ($($argument:ident: $kind:ty),*) $path:ident => $number:expr, [$($passed:expr),*];)*) => {
        $(
            /// # Safety
            /// As for the C library's function.
            #[unsafe(export_name = $symbol)]
            pub(in super::super) unsafe extern "C" fn $function($($argument: $kind),*) -> c_int {
                // SAFETY: the caller vouches for the path.
                unsafe {
                    note($path);
                    pass!($number, $($passed),*) as c_int
                }
            }
        )*
    };
}

const HERE: c_int = libc::AT_FDCWD;
const LINK: c_int = libc::AT_SYMLINK_NOFOLLOW;
type Text = *const c_char;
type Found = *mut c_void;

recorded! {
    simulated_statx "statx" (at: c_int, path: Text, flags: c_int, mask: c_uint, found: Found) path
        => libc::SYS_statx, [at, path, followed(path, flags), mask, found];
    stat "stat" (path: Text, found: Found) path => libc::SYS_newfstatat, [HERE, path, found, 0];
    stat64 "stat64" (path: Text, found: Found) path => libc::SYS_newfstatat, [HERE, path, found, 0];
    lstat "lstat" (path: Text, found: Found) path => libc::SYS_newfstatat, [HERE, path, found, followed(path, LINK)];
    lstat64 "lstat64" (path: Text, found: Found) path
        => libc::SYS_newfstatat, [HERE, path, found, followed(path, LINK)];
    fstatat "fstatat" (at: c_int, path: Text, found: Found, flags: c_int) path
        => libc::SYS_newfstatat, [at, path, found, followed(path, flags)];
    fstatat64 "fstatat64" (at: c_int, path: Text, found: Found, flags: c_int) path
        => libc::SYS_newfstatat, [at, path, found, followed(path, flags)];
    access "access" (path: Text, mode: c_int) path => libc::SYS_faccessat, [HERE, path, mode];
    mkdir "mkdir" (path: Text, mode: mode_t) path => libc::SYS_mkdirat, [HERE, path, mode];
    mkdirat "mkdirat" (at: c_int, path: Text, mode: mode_t) path => libc::SYS_mkdirat, [at, path, mode];
    rmdir "rmdir" (path: Text) path => libc::SYS_unlinkat, [HERE, path, libc::AT_REMOVEDIR];
    rename "rename" (path: Text, new: Text) path => libc::SYS_renameat2, [HERE, path, HERE, new, 0];
    truncate "truncate" (path: Text, length: libc::off_t) path => libc::SYS_truncate, [path, length];
    utimensat "utimensat" (at: c_int, path: Text, times: Found, flags: c_int) path
        => libc::SYS_utimensat, [at, path, times, flags];
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn faccessat(at: c_int, path: Text, mode: c_int, flags: c_int) -> c_int {
    // SAFETY: the caller vouches for the path.
    unsafe { note(path) };
    next!(c"faccessat", unsafe extern "C" fn(c_int, Text, c_int, c_int) -> c_int, -1, at, path, mode, flags)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn readlink(path: Text, target: *mut c_char, size: size_t) -> ssize_t {
    // SAFETY: the caller vouches for the arguments.
    unsafe { readlinkat(HERE, path, target, size) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn readlinkat(
    at: c_int,
    path: Text,
    target: *mut c_char,
    size: size_t,
) -> ssize_t {
    if asked().is_some() && !path.is_null() {
        // SAFETY: the caller vouches for the path.
        let path = unsafe { CStr::from_ptr(path) };
        if is_directory(path) {
            set_errno(libc::EINVAL);
            return -1;
        }
        let known = match path.to_bytes() {
            b"/proc/self/exe" => Some(PROGRAM),
            b"/proc/self" => Some(b"4242".as_slice()),
            b"/proc/self/cwd" | b"/proc/self/root" => Some(b"/".as_slice()),
            _ => None,
        };
        if let Some(known) = known {
            let length = known.len().min(size);
            // SAFETY: the caller vouches for `size` bytes.
            unsafe { target.cast::<u8>().copy_from_nonoverlapping(known.as_ptr(), length) };
            return length as ssize_t;
        }
    }
    // SAFETY: the caller vouches for the path.
    unsafe { note(path) };
    pass!(libc::SYS_readlinkat, at, path, target, size) as ssize_t
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn realpath(path: Text, resolved: *mut c_char) -> *mut c_char {
    // SAFETY: the caller vouches for the path.
    unsafe { note(path) };
    let null = std::ptr::null_mut();
    let found = next!(c"realpath", unsafe extern "C" fn(Text, *mut c_char) -> *mut c_char, null, path, resolved);
    // SAFETY: the C library has written it.
    unsafe { hide(found) };
    found
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn opendir(path: Text) -> *mut c_void {
    // SAFETY: the caller vouches for the path.
    unsafe { note(path) };
    next!(c"opendir", unsafe extern "C" fn(Text) -> *mut c_void, std::ptr::null_mut(), path)
}

/// Makes something whose name is a template with the last six letters drawn, until the name is free.
///
/// # Safety
/// `template` must be a C string that ends with `XXXXXX`.
unsafe fn draw_name(template: *mut c_char, make: impl Fn(*const c_char) -> c_int) -> c_int {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const DRAWN: usize = 6;
    const ATTEMPTS: usize = 1_000;
    // SAFETY: the caller vouches for the template.
    let length = unsafe { CStr::from_ptr(template) }.to_bytes().len();
    for _ in 0..ATTEMPTS {
        let mut drawn = [0_u8; DRAWN];
        // SAFETY: the buffer is as long as stated.
        unsafe { entropy::getrandom(drawn.as_mut_ptr().cast(), DRAWN, 0) };
        let letters = drawn.map(|byte| LETTERS[usize::from(byte) % LETTERS.len()]);
        // SAFETY: the last letters are within the template.
        unsafe { template.cast::<u8>().add(length - DRAWN).copy_from_nonoverlapping(letters.as_ptr(), DRAWN) };
        // SAFETY: the pointer to this thread's `errno` is always valid.
        match make(template) {
            failed if failed < 0 && unsafe { *libc::__errno_location() } == libc::EEXIST => {}
            made => return made,
        }
    }
    -1
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn mkostemp(template: *mut c_char, flags: c_int) -> c_int {
    if asked().is_none() {
        return next!(c"mkostemp", unsafe extern "C" fn(*mut c_char, c_int) -> c_int, -1, template, flags);
    }
    let flags = flags & !libc::O_ACCMODE | libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    // SAFETY: the caller vouches for the template.
    unsafe {
        note(template);
        draw_name(template, |path| call!(libc::SYS_openat, HERE, path, flags, 0o600) as c_int)
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn mkostemp64(template: *mut c_char, flags: c_int) -> c_int {
    // SAFETY: the caller vouches for the template.
    unsafe { mkostemp(template, flags) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn mkstemp(template: *mut c_char) -> c_int {
    // SAFETY: the caller vouches for the template.
    unsafe { mkostemp(template, 0) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn mkstemp64(template: *mut c_char) -> c_int {
    // SAFETY: the caller vouches for the template.
    unsafe { mkostemp(template, 0) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn mkdtemp(template: *mut c_char) -> *mut c_char {
    let null = std::ptr::null_mut();
    if asked().is_none() {
        return next!(c"mkdtemp", unsafe extern "C" fn(*mut c_char) -> *mut c_char, null, template);
    }
    // SAFETY: the caller vouches for the template.
    let made = unsafe {
        note(template);
        draw_name(template, |path| call!(libc::SYS_mkdirat, HERE, path, 0o700) as c_int)
    };
    if made < 0 { null } else { template }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn tmpfile() -> *mut libc::FILE {
    if asked().is_some() {
        record(c"a temporary file");
    }
    next!(c"tmpfile", unsafe extern "C" fn() -> *mut libc::FILE, std::ptr::null_mut(),)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn tmpfile64() -> *mut libc::FILE {
    // SAFETY: the function has no arguments.
    unsafe { tmpfile() }
}
