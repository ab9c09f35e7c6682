//! The kernel's code for clocks in every process (the vDSO), which code may call without the C library. A zygote replaces
//! it, so that its children read the clocks of their hosts.

#[cfg(target_arch = "x86_64")]
use libc::{c_int, c_long, c_void, clockid_t, time_t, timespec, timeval};

#[cfg(target_arch = "x86_64")]
use super::hooks;
#[cfg(target_arch = "x86_64")]
use super::raw::system_call;
#[cfg(target_arch = "x86_64")]
use crate::sandbox::simulated::simulation;

/// Only the instructions of x86-64 are known here.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn replace() {}

/// Replaces the functions of this process. If the system refuses, they stay what they are.
#[cfg(target_arch = "x86_64")]
pub(super) fn replace() {
    let replacements = [
        (c"__vdso_clock_gettime", clock_gettime as *const c_void),
        (c"__vdso_gettimeofday", gettimeofday as *const c_void),
        (c"__vdso_time", time as *const c_void),
        (c"__vdso_getcpu", getcpu as *const c_void),
        (c"__vdso_clock_getres", clock_getres as *const c_void),
    ];
    // SAFETY: the name is a C string; the vDSO is loaded by the kernel, so this only looks it up.
    let vdso = unsafe { libc::dlopen(c"linux-vdso.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if vdso.is_null() {
        return;
    }
    let Some((start, length)) = make_writable() else { return };
    for (name, replacement) in replacements {
        // SAFETY: the name is a C string.
        let function = unsafe { libc::dlsym(vdso, name.as_ptr()) };
        if !function.is_null() {
            // SAFETY: the function has the same arguments, and this process has no other thread that runs it.
            unsafe { jump_from(function.cast(), replacement) };
        }
    }
    // SAFETY: the pages are the vDSO's.
    unsafe { libc::mprotect(start, length, libc::PROT_READ | libc::PROT_EXEC) };
}

/// Makes the vDSO writable for this process. Returns where it is.
#[cfg(target_arch = "x86_64")]
fn make_writable() -> Option<(*mut c_void, usize)> {
    const PAGE_BYTES: usize = 4096;
    const MOST_PAGES: usize = 16;
    // SAFETY: `getauxval` reads a constant of the process.
    let start = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as *mut c_void;
    let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    // The kernel refuses to change a part of it, and nobody says how long it is.
    // SAFETY: this only adds a permission, to pages that nobody else writes.
    let is_whole = |length: &usize| unsafe { libc::mprotect(start, *length, all) } == 0;
    let length = (1..=MOST_PAGES).map(|pages| pages * PAGE_BYTES).find(is_whole)?;
    (!start.is_null()).then_some((start, length))
}

/// Lets a function begin with a jump to another.
///
/// # Safety
/// No other thread may run the function, which must be writable and at least as long as the jump.
#[cfg(target_arch = "x86_64")]
unsafe fn jump_from(function: *mut u8, to: *const c_void) {
    // mov r11, address; jmp r11
    let mut jump = [0x49, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0xff, 0xe3];
    jump[2..10].copy_from_slice(&(to as usize).to_le_bytes());
    // SAFETY: the caller vouches for the function.
    unsafe { function.copy_from_nonoverlapping(jump.as_ptr(), jump.len()) };
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn clock_gettime(clock: clockid_t, result: *mut timespec) -> c_int {
    if let Some(nanos) = simulation().and_then(|simulation| hooks::shown_clock(simulation, clock)) {
        // SAFETY: the caller vouches for the pointer.
        unsafe { result.write(time_of(nanos)) };
        return 0;
    }
    // SAFETY: the caller vouches for the pointer.
    unsafe { system_call(libc::SYS_clock_gettime, [clock as usize, result as usize, 0, 0, 0, 0]) as c_int }
}

#[cfg(target_arch = "x86_64")]
fn time_of(nanos: u64) -> timespec {
    timespec { tv_sec: (nanos / 1_000_000_000) as time_t, tv_nsec: (nanos % 1_000_000_000) as c_long }
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn gettimeofday(result: *mut timeval, _zone: *mut c_void) -> c_int {
    let mut now = time_of(0);
    // SAFETY: `now` is a local variable, and the caller vouches for the pointer.
    unsafe {
        clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        if let Some(result) = result.as_mut() {
            *result = timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1_000 };
        }
    }
    0
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn time(result: *mut time_t) -> time_t {
    let mut now = time_of(0);
    // SAFETY: `now` is a local variable, and the caller vouches for the pointer.
    unsafe {
        clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        if let Some(result) = result.as_mut() {
            *result = now.tv_sec;
        }
    }
    now.tv_sec
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn getcpu(processor: *mut u32, node: *mut u32, _cache: *mut c_void) -> c_int {
    if simulation().is_none() {
        // SAFETY: the caller vouches for the pointers.
        return unsafe { system_call(libc::SYS_getcpu, [processor as usize, node as usize, 0, 0, 0, 0]) as c_int };
    }
    // SAFETY: as above.
    for found in [processor, node].into_iter().filter_map(|found| unsafe { found.as_mut() }) {
        *found = 0;
    }
    0
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn clock_getres(clock: clockid_t, result: *mut timespec) -> c_int {
    // SAFETY: the caller vouches for the pointer.
    unsafe { system_call(libc::SYS_clock_getres, [clock as usize, result as usize, 0, 0, 0, 0]) as c_int }
}
