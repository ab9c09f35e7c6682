//! Hooks for facts about the machine that are the same on every simulated one: its kernel, its processes, its processors.

pub(super) mod proc;
pub(super) mod system;

use std::ffi::{c_char, c_uint, c_void};

use libc::{c_int, c_long, pid_t, size_t, utsname};

use super::super::raw::{Next, call, set_errno};
use super::hook::Hook;
use super::machine;
use crate::sandbox::simulated::simulation;

/// The process that started the simulated program: the first of its machine.
pub(super) const PARENT: pid_t = 1;
/// The kernel of every simulated machine.
pub(super) const RELEASE: &str = "6.1.0-squall";
pub(super) const VERSION: &str = "#1 SMP";

#[unsafe(no_mangle)]
pub(super) extern "C" fn getppid() -> pid_t {
    if simulation().is_some() { PARENT } else { call!(libc::SYS_getppid) as pid_t }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn uname(machine: *mut utsname) -> c_int {
    let Some(simulation) = simulation().filter(|_| !machine.is_null()) else {
        return call!(libc::SYS_uname, machine) as c_int;
    };
    // SAFETY: the caller vouches for the struct, of which all zeros is a valid value.
    let machine = unsafe {
        machine.write(std::mem::zeroed());
        &mut *machine
    };
    let fields = [
        (&mut machine.sysname, "Linux"),
        (&mut machine.nodename, simulation.host_name().unwrap_or("squall")),
        (&mut machine.release, RELEASE),
        (&mut machine.version, VERSION),
        (&mut machine.machine, std::env::consts::ARCH),
    ];
    for (field, text) in fields {
        let most = field.len() - 1;
        for (byte, character) in field.iter_mut().zip(text.bytes().take(most)) {
            *byte = character as libc::c_char;
        }
    }
    0
}

/// The hooks of this file.
pub(super) static HOOKS: [Hook; 10] = [
    Hook(getppid as *const _),
    Hook(uname as *const _),
    Hook(sched_getcpu as *const _),
    Hook(getcpu as *const _),
    Hook(getpgid as *const _),
    Hook(getpgrp as *const _),
    Hook(getsid as *const _),
    Hook(gethostid as *const _),
    Hook(getdomainname as *const _),
    Hook(pthread_getaffinity_np as *const _),
];

/// A simulated program is the first of a group of processes and of a session of its own. Others are not known.
fn of_process(process: pid_t, real: c_long) -> pid_t {
    if simulation().is_none() {
        return call!(real, process) as pid_t;
    }
    match process {
        0 | machine::PROCESS => machine::PROCESS,
        PARENT => PARENT,
        _ => {
            set_errno(libc::ESRCH);
            -1
        }
    }
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn getpgid(process: pid_t) -> pid_t {
    of_process(process, libc::SYS_getpgid)
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn getpgrp() -> pid_t {
    of_process(0, libc::SYS_getpgid)
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn getsid(process: pid_t) -> pid_t {
    of_process(process, libc::SYS_getsid)
}

/// The number of every simulated machine: that of the address 127.0.1.1, as the C library makes it.
#[unsafe(no_mangle)]
pub(super) extern "C" fn gethostid() -> c_long {
    if simulation().is_some() {
        return 0x7f_0101;
    }
    static NEXT: Next = Next::new(c"gethostid");
    // SAFETY: the type is that of the symbol.
    unsafe { NEXT.get::<extern "C" fn() -> c_long>() }.map_or(0, |next| next())
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getdomainname(name: *mut c_char, size: size_t) -> c_int {
    const NONE: &[u8] = b"(none)\0";
    if simulation().is_none() {
        static NEXT: Next = Next::new(c"getdomainname");
        // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
        let next = unsafe { NEXT.get::<unsafe extern "C" fn(*mut c_char, size_t) -> c_int>() };
        // SAFETY: as above.
        return next.map_or(-1, |next| unsafe { next(name, size) });
    }
    let length = size.min(NONE.len());
    // SAFETY: the caller vouches for the buffer.
    unsafe { name.cast::<u8>().copy_from_nonoverlapping(NONE.as_ptr(), length) };
    0
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_getaffinity_np(
    thread: libc::pthread_t,
    size: size_t,
    set: *mut c_void,
) -> c_int {
    if !machine::sees_constants() {
        static NEXT: Next = Next::new(c"pthread_getaffinity_np");
        // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
        let next = unsafe { NEXT.get::<unsafe extern "C" fn(libc::pthread_t, size_t, *mut c_void) -> c_int>() };
        // SAFETY: as above.
        return next.map_or(libc::ENOSYS, |next| unsafe { next(thread, size, set) });
    }
    // All threads may run on all processors.
    // SAFETY: the caller vouches for the set.
    if unsafe { machine::sched_getaffinity(0, size, set) } < 0 { libc::EINVAL } else { 0 }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getcpu(processor: *mut c_uint, node: *mut c_uint) -> c_int {
    if simulation().is_none() {
        return call!(libc::SYS_getcpu, processor, node, 0) as c_int;
    }
    // SAFETY: the caller vouches for the pointers, of which each may be null.
    unsafe {
        if let Some(processor) = processor.as_mut() {
            *processor = 0;
        }
        if let Some(node) = node.as_mut() {
            *node = 0;
        }
    }
    0
}

/// There is one processor at a time for all threads.
#[unsafe(no_mangle)]
pub(super) extern "C" fn sched_getcpu() -> c_int {
    if simulation().is_some() {
        return 0;
    }
    let mut processor = 0_u32;
    match call!(libc::SYS_getcpu, &raw mut processor, 0, 0) {
        0 => processor as c_int,
        _ => -1,
    }
}
