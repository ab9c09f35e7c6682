//! Hooks for how large a simulated machine is and how busy: its memory, its disk, its load, and the limits of a process.

use std::ffi::{c_char, c_void};

use libc::{c_int, c_long, c_uint, id_t, rlimit, statfs, statvfs};

use super::super::super::raw::{Next, call};
use super::super::super::threads::is_thread_of_program;
use super::super::hook::Hook;
use super::super::machine;
use crate::sandbox::simulated::simulation;

/// The hooks of this file.
pub(in super::super) static HOOKS: [Hook; 25] = [
    Hook(sysconf as *const _),
    Hook(get_nprocs as *const _),
    Hook(get_nprocs_conf as *const _),
    Hook(get_phys_pages as *const _),
    Hook(get_avphys_pages as *const _),
    Hook(getdtablesize as *const _),
    Hook(sysinfo as *const _),
    Hook(getloadavg as *const _),
    Hook(pthread_getattr_np as *const _),
    Hook(getrlimit as *const _),
    Hook(getrlimit64 as *const _),
    Hook(prlimit as *const _),
    Hook(prlimit64 as *const _),
    Hook(getpriority as *const _),
    Hook(setpriority as *const _),
    Hook(nice as *const _),
    Hook(sched_getscheduler as *const _),
    Hook(simulated_statvfs as *const _),
    Hook(statvfs64 as *const _),
    Hook(fstatvfs as *const _),
    Hook(fstatvfs64 as *const _),
    Hook(simulated_statfs as *const _),
    Hook(statfs64 as *const _),
    Hook(fstatfs as *const _),
    Hook(fstatfs64 as *const _),
];

const PAGE_BYTES: u64 = 4096;
/// The memory of a simulated machine, and what of it is free, in bytes.
pub(super) const MEMORY_BYTES: u64 = 8 << 30;
pub(super) const FREE_BYTES: u64 = 4 << 30;
/// The blocks of its disk, of a page each, and how many of them are free; the number of its files, of which half is free.
const BLOCKS: u64 = (64 << 30) / PAGE_BYTES;
const FREE_BLOCKS: u64 = BLOCKS / 2;
const FILES: u64 = 4 << 20;
/// How many files a process may open, and how many it may ask for.
pub(super) const OPEN_FILES: u64 = 1024;
pub(super) const MOST_OPEN_FILES: u64 = 1 << 20;
/// How many processes, and how many queued signals, there may be.
pub(super) const PROCESSES: u64 = 31_000;
/// The stack of the first thread, in bytes.
pub(super) const STACK_BYTES: u64 = 8 << 20;
/// The memory that a process may lock, in bytes.
pub(super) const LOCKED_BYTES: u64 = 8 << 20;

/// What `sysconf` answers about these sizes; `None` for what it is to answer by itself.
fn configured(name: c_int) -> Option<c_long> {
    let number = match name {
        libc::_SC_NPROCESSORS_ONLN | libc::_SC_NPROCESSORS_CONF => machine::CPUS as u64,
        libc::_SC_PHYS_PAGES => MEMORY_BYTES / PAGE_BYTES,
        libc::_SC_AVPHYS_PAGES => FREE_BYTES / PAGE_BYTES,
        libc::_SC_OPEN_MAX => OPEN_FILES,
        libc::_SC_CHILD_MAX => PROCESSES,
        libc::_SC_ARG_MAX => STACK_BYTES / 4,
        libc::_SC_SIGQUEUE_MAX => PROCESSES,
        _ => return None,
    };
    Some(number as c_long)
}

static SYSCONF: Next = Next::new(c"sysconf");

/// Looks up the definition that is asked before the first fork.
pub(in super::super) fn look_up() {
    // SAFETY: the type is that of the symbol.
    unsafe { SYSCONF.get::<extern "C" fn(c_int) -> c_long>() };
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn sysconf(name: c_int) -> c_long {
    if let Some(number) = configured(name).filter(|_| machine::sees_constants()) {
        return number;
    }
    // SAFETY: the type is that of the symbol.
    match unsafe { SYSCONF.get::<extern "C" fn(c_int) -> c_long>() } {
        Some(next) => next(name),
        None => -1,
    }
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn get_nprocs() -> c_int {
    sysconf(libc::_SC_NPROCESSORS_ONLN) as c_int
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn get_nprocs_conf() -> c_int {
    sysconf(libc::_SC_NPROCESSORS_CONF) as c_int
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn get_phys_pages() -> c_long {
    sysconf(libc::_SC_PHYS_PAGES)
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn get_avphys_pages() -> c_long {
    sysconf(libc::_SC_AVPHYS_PAGES)
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn getdtablesize() -> c_int {
    sysconf(libc::_SC_OPEN_MAX) as c_int
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn sysinfo(result: *mut libc::sysinfo) -> c_int {
    let Some(simulation) = simulation().filter(|_| !result.is_null()) else {
        return call!(libc::SYS_sysinfo, result) as c_int;
    };
    // SAFETY: the caller vouches for the struct, of which all zeros is a valid value.
    let system = unsafe {
        result.write(std::mem::zeroed());
        &mut *result
    };
    system.uptime = (simulation.monotonic() / 1_000_000_000) as _;
    system.totalram = MEMORY_BYTES as _;
    system.freeram = FREE_BYTES as _;
    system.procs = 2;
    system.mem_unit = 1;
    0
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn getloadavg(loads: *mut f64, count: c_int) -> c_int {
    const MOST: c_int = 3;
    if simulation().is_some() {
        let count = count.clamp(0, MOST);
        // SAFETY: the caller vouches for room for as many numbers.
        unsafe { loads.write_bytes(0, count as usize) };
        return count;
    }
    static NEXT: Next = Next::new(c"getloadavg");
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    match unsafe { NEXT.get::<unsafe extern "C" fn(*mut f64, c_int) -> c_int>() } {
        Some(next) => unsafe { next(loads, count) },
        None => -1,
    }
}

/// The stack of the first thread has its limit, which the C library asks the kernel for.
///
/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn pthread_getattr_np(
    thread: libc::pthread_t,
    attributes: *mut libc::pthread_attr_t,
) -> c_int {
    static NEXT: Next = Next::new(c"pthread_getattr_np");
    type Kind = unsafe extern "C" fn(libc::pthread_t, *mut libc::pthread_attr_t) -> c_int;
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    unsafe {
        let Some(next) = NEXT.get::<Kind>() else { return libc::ENOSYS };
        let result = next(thread, attributes);
        let is_first = thread == libc::pthread_self() && !is_thread_of_program();
        if result == 0 && is_first && simulation().is_some() {
            let (mut start, mut size) = (std::ptr::null_mut(), 0);
            libc::pthread_attr_getstack(attributes, &raw mut start, &raw mut size);
            let end = start.cast::<u8>().wrapping_add(size);
            let length = STACK_BYTES as usize;
            libc::pthread_attr_setstack(attributes, end.wrapping_sub(length).cast(), length);
        }
        result
    }
}

/// How many resources have limits.
const RESOURCES: u32 = 16;

/// The limit of a resource, and how far a process may raise it.
pub(super) fn limit(resource: c_int) -> Option<(u64, u64)> {
    let infinite = libc::RLIM_INFINITY;
    Some(match resource as u32 {
        libc::RLIMIT_STACK => (STACK_BYTES, infinite),
        libc::RLIMIT_CORE => (0, infinite),
        libc::RLIMIT_NOFILE => (OPEN_FILES, MOST_OPEN_FILES),
        libc::RLIMIT_NPROC | libc::RLIMIT_SIGPENDING => (PROCESSES, PROCESSES),
        libc::RLIMIT_MEMLOCK => (LOCKED_BYTES, LOCKED_BYTES),
        libc::RLIMIT_NICE | libc::RLIMIT_RTPRIO => (0, 0),
        libc::RLIMIT_MSGQUEUE => (819_200, 819_200),
        0..RESOURCES => (infinite, infinite),
        _ => return None,
    })
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn getrlimit(resource: c_int, result: *mut rlimit) -> c_int {
    // SAFETY: the caller vouches for the pointer.
    unsafe { prlimit(0, resource, std::ptr::null(), result) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn getrlimit64(resource: c_int, result: *mut rlimit) -> c_int {
    // SAFETY: the caller vouches for the pointer.
    unsafe { prlimit(0, resource, std::ptr::null(), result) }
}

/// Shows the limits of a simulated process. A new limit is set for real, and not shown.
///
/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn prlimit(
    process: libc::pid_t,
    resource: c_int,
    new: *const rlimit,
    old: *mut rlimit,
) -> c_int {
    let shown = simulation().filter(|_| !old.is_null() && matches!(process, 0 | machine::PROCESS));
    let Some((soft, hard)) = shown.and_then(|_| limit(resource)) else {
        return call!(libc::SYS_prlimit64, process, resource, new, old) as c_int;
    };
    // SAFETY: the caller vouches for the pointer.
    unsafe { old.write(rlimit { rlim_cur: soft, rlim_max: hard }) };
    if new.is_null() { 0 } else { call!(libc::SYS_prlimit64, 0, resource, new, 0) as c_int }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn prlimit64(
    process: libc::pid_t,
    resource: c_int,
    new: *const rlimit,
    old: *mut rlimit,
) -> c_int {
    // SAFETY: the caller vouches for the pointers.
    unsafe { prlimit(process, resource, new, old) }
}

/// The C library's convention: the kernel answers with 20 less the priority, as its answers are not negative.
const KERNELS_ZERO: c_long = 20;

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn getpriority(which: c_uint, who: id_t) -> c_int {
    if simulation().is_some() {
        return 0;
    }
    let answer = call!(libc::SYS_getpriority, which, who);
    if answer < 0 { -1 } else { (KERNELS_ZERO - answer) as c_int }
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn setpriority(which: c_uint, who: id_t, priority: c_int) -> c_int {
    if simulation().is_some() { 0 } else { call!(libc::SYS_setpriority, which, who, priority as isize) as c_int }
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn nice(increment: c_int) -> c_int {
    if simulation().is_some() {
        return increment.clamp(0, 19);
    }
    let priority = getpriority(libc::PRIO_PROCESS as c_uint, 0).saturating_add(increment).clamp(-20, 19);
    if setpriority(libc::PRIO_PROCESS as c_uint, 0, priority) < 0 { -1 } else { priority }
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn sched_getscheduler(process: libc::pid_t) -> c_int {
    if simulation().is_some() { libc::SCHED_OTHER } else { call!(libc::SYS_sched_getscheduler, process) as c_int }
}

/// The disk of a simulated machine.
fn disk_of_c() -> statvfs {
    // SAFETY: all zeros is a valid value.
    let mut disk: statvfs = unsafe { std::mem::zeroed() };
    disk.f_bsize = PAGE_BYTES;
    disk.f_frsize = PAGE_BYTES;
    disk.f_blocks = BLOCKS;
    (disk.f_bfree, disk.f_bavail) = (FREE_BLOCKS, FREE_BLOCKS);
    disk.f_files = FILES;
    (disk.f_ffree, disk.f_favail) = (FILES / 2, FILES / 2);
    disk.f_namemax = 255;
    disk
}

/// The same as the kernel tells it.
fn disk() -> statfs {
    // SAFETY: all zeros is a valid value.
    let mut disk: statfs = unsafe { std::mem::zeroed() };
    disk.f_type = libc::EXT4_SUPER_MAGIC as _;
    disk.f_bsize = PAGE_BYTES as _;
    disk.f_frsize = PAGE_BYTES as _;
    disk.f_blocks = BLOCKS;
    (disk.f_bfree, disk.f_bavail) = (FREE_BLOCKS, FREE_BLOCKS);
    (disk.f_files, disk.f_ffree) = (FILES, FILES / 2);
    disk.f_namelen = 255;
    disk
}

/// Calls the definition that a hook hides, with two arguments.
unsafe fn next(next: &Next, what: usize, result: *mut c_void) -> c_int {
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    match unsafe { next.get::<unsafe extern "C" fn(usize, *mut c_void) -> c_int>() } {
        Some(next) => unsafe { next(what, result) },
        None => -1,
    }
}

/// Defines a hook for one of the functions that tell of a disk.
macro_rules! disk_hook {
    ($function:ident, $symbol:literal, $name:literal, $what:ty, $result:ty, $disk:ident) => {
        /// # Safety
        /// As for the C library's function.
        #[unsafe(export_name = $symbol)]
        pub(in super::super) unsafe extern "C" fn $function(what: $what, result: *mut $result) -> c_int {
            if simulation().is_some_and(|simulation| !simulation.clocks.is_quiet()) && !result.is_null() {
                // SAFETY: the caller vouches for the pointer.
                unsafe { result.write($disk()) };
                return 0;
            }
            static NEXT: Next = Next::new($name);
            // SAFETY: the caller vouches for the arguments.
            unsafe { next(&NEXT, what as usize, result.cast()) }
        }
    };
}

disk_hook!(simulated_statvfs, "statvfs", c"statvfs", *const c_char, statvfs, disk_of_c);
disk_hook!(statvfs64, "statvfs64", c"statvfs64", *const c_char, statvfs, disk_of_c);
disk_hook!(fstatvfs, "fstatvfs", c"fstatvfs", c_int, statvfs, disk_of_c);
disk_hook!(fstatvfs64, "fstatvfs64", c"fstatvfs64", c_int, statvfs, disk_of_c);
disk_hook!(simulated_statfs, "statfs", c"statfs", *const c_char, statfs, disk);
disk_hook!(statfs64, "statfs64", c"statfs64", *const c_char, statfs, disk);
disk_hook!(fstatfs, "fstatfs", c"fstatfs", c_int, statfs, disk);
disk_hook!(fstatfs64, "fstatfs64", c"fstatfs64", c_int, statfs, disk);
