//! Hooks for files of the operating system: opening one succeeds as usual and is recorded. Files about the process and the
//! machine are simulated, and so are devices of entropy.

pub(super) mod paths;
pub(super) mod streams;
pub(super) mod temporary;

use std::ffi::CStr;

use libc::{c_char, c_int, mode_t};

use super::super::raw::{call, set_errno};
use super::entropy;
use super::facts::proc::{self, Entry};
use super::hook::Hook;
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::{Simulation, simulation};

/// The hooks of this file.
pub(super) static HOOKS: [Hook; 4] =
    [Hook(open as *const _), Hook(open64 as *const _), Hook(openat as *const _), Hook(openat64 as *const _)];

/// The paths that a run may use without a note: they are the same everywhere.
const ALLOWED: [&[u8]; 4] = [b"/usr/share/zoneinfo", b"/etc/localtime", b"/etc/timezone", b"/dev/null"];

/// Whether a run may read the file at `path` without a note.
fn is_allowed(path: &[u8]) -> bool {
    ALLOWED.iter().any(|allowed| path.starts_with(allowed))
}

/// The same for what the C library does by itself, which also reads facts about its own process.
pub(in crate::sandbox::platform) fn is_allowed_file(path: &[u8]) -> bool {
    is_allowed(path) || path.starts_with(b"/proc/") || path.starts_with(b"/sys/")
}

/// Records that a program uses a real file, unless all may.
pub(super) fn record(path: &CStr) {
    if !path.is_empty() && !is_allowed(path.to_bytes()) {
        record_escape(EscapeKind::RealFile, || path.to_string_lossy().into_owned());
    }
}

/// The simulation, if code under test and not the sandbox's own asks for a path.
pub(super) fn asked<'a>() -> Option<&'a Simulation> {
    simulation().filter(|simulation| !simulation.clocks.is_quiet())
}

/// What a path stands for that is not simply a file of the real machine.
pub(super) enum Special {
    /// A file with this text.
    Text(String),
    Absent,
    Entropy,
}

/// Looks up a path; records it if it is that of a real file.
pub(super) fn look_up(simulation: &Simulation, path: &CStr) -> Option<Special> {
    let bytes = path.to_bytes();
    if matches!(bytes, b"/dev/urandom" | b"/dev/random") {
        return Some(Special::Entropy);
    }
    if let Some(text) = path.to_str().ok().filter(|text| proc::is_below(text)) {
        match proc::entry(simulation, text) {
            Entry::Text(text) => return Some(Special::Text(text)),
            Entry::Absent => return Some(Special::Absent),
            Entry::Real => {}
        }
    }
    record(path);
    None
}

/// A descriptor from which this text can be read.
fn descriptor_of(text: &str) -> c_int {
    let file = call!(libc::SYS_memfd_create, c"simulated".as_ptr(), libc::MFD_CLOEXEC) as c_int;
    if file >= 0 {
        call!(libc::SYS_pwrite64, file, text.as_ptr(), text.len(), 0);
    }
    file
}

/// # Safety
/// `path` must be null or a C string.
pub(super) unsafe fn open_at(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    if let Some(simulation) = asked().filter(|_| !path.is_null()) {
        // SAFETY: the caller vouches for the path.
        match look_up(simulation, unsafe { CStr::from_ptr(path) }) {
            Some(Special::Text(text)) => return descriptor_of(&text),
            Some(Special::Absent) => {
                set_errno(libc::ENOENT);
                return -1;
            }
            Some(Special::Entropy) => return entropy::devices::open(),
            None => {}
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
