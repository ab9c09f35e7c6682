//! Hooks for other processes. They are not simulated: starting one is recorded, and a signal reaches only the own process.

use std::ffi::CStr;

use libc::{FILE, c_char, c_int, c_void, pid_t};

use super::super::counter::start_process;
use super::super::raw::{call, set_errno};
use super::hook::{Hook, next};
use super::machine;
use crate::sandbox::descriptors::FIRST_DESCRIPTOR;
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::simulation;

/// The hooks of this file.
pub(super) static HOOKS: [Hook; 8] = [
    Hook(system as *const _),
    Hook(popen as *const _),
    Hook(kill as *const _),
    Hook(posix_spawn_file_actions_adddup2 as *const _),
    Hook(getifaddrs as *const _),
    Hook(if_nametoindex as *const _),
    Hook(if_indextoname as *const _),
    Hook(if_nameindex as *const _),
];

/// Records a program that is started by its command line.
///
/// # Safety
/// `command` must be null or a C string.
unsafe fn record_command(command: *const c_char) {
    if !command.is_null() {
        record_escape(EscapeKind::Process, || {
            // SAFETY: the caller vouches for the text.
            unsafe { CStr::from_ptr(command) }.to_string_lossy().into_owned()
        });
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn system(command: *const c_char) -> c_int {
    // SAFETY: the caller vouches for the text.
    unsafe { record_command(command) };
    start_process(|| next!(c"system", unsafe extern "C" fn(*const c_char) -> c_int, -1, command))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE {
    type Kind = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut FILE;
    // SAFETY: the caller vouches for the text.
    unsafe { record_command(command) };
    start_process(|| next!(c"popen", Kind, std::ptr::null_mut(), command, mode))
}

/// A simulated machine has no processes that a program could know, but its own.
#[unsafe(no_mangle)]
pub(super) extern "C" fn kill(process: pid_t, signal: c_int) -> c_int {
    if simulation().is_none() {
        return call!(libc::SYS_kill, process as isize, signal) as c_int;
    }
    if matches!(process, 0 | machine::PROCESS) {
        return call!(libc::SYS_kill, call!(libc::SYS_getpid), signal) as c_int;
    }
    record_escape(EscapeKind::RefusedCall, || format!("a signal to process {process}, which is not simulated"));
    set_errno(libc::ESRCH);
    -1
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn posix_spawn_file_actions_adddup2(
    actions: *mut c_void,
    descriptor: c_int,
    new: c_int,
) -> c_int {
    if descriptor >= FIRST_DESCRIPTOR {
        record_escape(EscapeKind::RefusedCall, || {
            "another process, which is not simulated, with a simulated pipe".to_owned()
        });
        return libc::EBADF;
    }
    type Kind = unsafe extern "C" fn(*mut c_void, c_int, c_int) -> c_int;
    next!(c"posix_spawn_file_actions_adddup2", Kind, libc::ENOSYS, actions, descriptor, new)
}

/// Records that a program looks at the real machine's network interfaces.
fn record_interfaces() {
    record_escape(EscapeKind::RealSocket, || "the network interfaces of the real machine".to_owned());
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getifaddrs(list: *mut *mut c_void) -> c_int {
    record_interfaces();
    next!(c"getifaddrs", unsafe extern "C" fn(*mut *mut c_void) -> c_int, -1, list)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn if_nametoindex(name: *const c_char) -> u32 {
    record_interfaces();
    next!(c"if_nametoindex", unsafe extern "C" fn(*const c_char) -> u32, 0, name)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn if_indextoname(index: u32, name: *mut c_char) -> *mut c_char {
    type Kind = unsafe extern "C" fn(u32, *mut c_char) -> *mut c_char;
    record_interfaces();
    next!(c"if_indextoname", Kind, std::ptr::null_mut(), index, name)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn if_nameindex() -> *mut c_void {
    record_interfaces();
    next!(c"if_nameindex", unsafe extern "C" fn() -> *mut c_void, std::ptr::null_mut(),)
}
