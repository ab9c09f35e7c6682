//! Hooks for facts about the machine that are the same on every simulated one: its kernel, its processes, its processors.

use libc::{c_int, pid_t, utsname};

use super::super::raw::call;
use crate::sandbox::simulated::simulation;

/// The process that started the simulated program: the first of its machine.
const PARENT: pid_t = 1;
/// The kernel of every simulated machine.
const RELEASE: &str = "6.1.0-squall";
const VERSION: &str = "#1 SMP";

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
