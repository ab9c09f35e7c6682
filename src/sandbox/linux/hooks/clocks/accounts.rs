//! Hooks for accounts of processor time, and for rarer ways to read a clock. A simulated program has always computed for
//! as long as it exists: the time that it has used is the time that has passed.

use libc::{c_int, c_long, clock_t, clockid_t, rusage, time_t, timespec, timeval, tms};

use super::super::super::raw::{call, set_errno};
use super::super::hook::Hook;
use crate::sandbox::simulated::simulation;

/// The hooks of this file.
pub(in super::super) static HOOKS: [Hook; 9] = [
    Hook(clock_getres as *const _),
    Hook(times as *const _),
    Hook(clock as *const _),
    Hook(getrusage as *const _),
    Hook(timespec_get as *const _),
    Hook(ftime as *const _),
    Hook(ntp_gettime as *const _),
    Hook(ntp_gettimex as *const _),
    Hook(adjtimex as *const _),
];

/// How many ticks of `times` a second has, and how many microseconds one of `clock`.
const TICKS: u64 = 100;
/// The memory that a simulated program is said to have used at most, in kibibytes.
const MEMORY_KIB: c_long = 64 * 1024;

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn clock_getres(clock: clockid_t, result: *mut timespec) -> c_int {
    let is_known = super::is_modelled(clock);
    if simulation().is_none() || !is_known {
        return call!(libc::SYS_clock_getres, clock, result) as c_int;
    }
    let is_coarse = matches!(clock, libc::CLOCK_MONOTONIC_COARSE | libc::CLOCK_REALTIME_COARSE);
    if !result.is_null() {
        // SAFETY: the caller vouches for the pointer.
        unsafe { result.write(timespec { tv_sec: 0, tv_nsec: if is_coarse { 4_000_000 } else { 1 } }) };
    }
    0
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn times(result: *mut tms) -> clock_t {
    let Some(simulation) = simulation() else { return call!(libc::SYS_times, result) };
    let ticks = |nanos: u64| (nanos / (1_000_000_000 / TICKS)) as clock_t;
    if !result.is_null() {
        let spent = ticks(simulation.spent());
        // SAFETY: the caller vouches for the pointer.
        unsafe { result.write(tms { tms_utime: spent, tms_stime: 0, tms_cutime: 0, tms_cstime: 0 }) };
    }
    ticks(simulation.monotonic())
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn clock() -> clock_t {
    let nanos = match simulation() {
        Some(simulation) => simulation.spent(),
        None => {
            let mut spent = timespec { tv_sec: 0, tv_nsec: 0 };
            call!(libc::SYS_clock_gettime, libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut spent);
            super::super::waits::nanos(&spent)
        }
    };
    (nanos / 1_000) as clock_t
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn getrusage(who: c_int, result: *mut rusage) -> c_int {
    let Some(simulation) = simulation().filter(|_| !result.is_null()) else {
        return call!(libc::SYS_getrusage, who, result) as c_int;
    };
    if !matches!(who, libc::RUSAGE_SELF | libc::RUSAGE_CHILDREN | libc::RUSAGE_THREAD) {
        set_errno(libc::EINVAL);
        return -1;
    }
    // SAFETY: all zeros is a valid value.
    let mut usage: rusage = unsafe { std::mem::zeroed() };
    if who != libc::RUSAGE_CHILDREN {
        let micros = simulation.spent() / 1_000;
        usage.ru_utime = timeval { tv_sec: (micros / 1_000_000) as time_t, tv_usec: (micros % 1_000_000) as c_long };
        usage.ru_maxrss = MEMORY_KIB;
    }
    // SAFETY: the caller vouches for the pointer.
    unsafe { result.write(usage) };
    0
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn timespec_get(result: *mut timespec, base: c_int) -> c_int {
    const UTC: c_int = 1;
    // SAFETY: the caller vouches for the pointer.
    if base == UTC && unsafe { super::clock_gettime(libc::CLOCK_REALTIME, result) } == 0 { UTC } else { 0 }
}

/// What `ftime` writes.
#[repr(C)]
pub(in super::super) struct Timeb {
    time: time_t,
    milliseconds: u16,
    zone_minutes: i16,
    has_summer_time: i16,
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn ftime(result: *mut Timeb) -> c_int {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid, and so is the caller's pointer.
    unsafe {
        super::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        let milliseconds = (now.tv_nsec / 1_000_000) as u16;
        result.write(Timeb { time: now.tv_sec, milliseconds, zone_minutes: 0, has_summer_time: 0 });
    }
    0
}

/// What `ntp_gettime` writes; `ntp_gettimex` writes more zeros.
#[repr(C)]
pub(in super::super) struct NtpTime {
    time: timeval,
    maximum_error: c_long,
    estimated_error: c_long,
    offset_of_tai: c_long,
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn ntp_gettime(result: *mut NtpTime) -> c_int {
    let mut time = timeval { tv_sec: 0, tv_usec: 0 };
    // SAFETY: `time` is valid, and so is the caller's pointer.
    unsafe {
        super::gettimeofday(&raw mut time, std::ptr::null_mut());
        result.write(NtpTime { time, maximum_error: 0, estimated_error: 0, offset_of_tai: 0 });
    }
    // The clock is synchronised.
    0
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn ntp_gettimex(result: *mut NtpTime) -> c_int {
    // SAFETY: the caller vouches for the pointer.
    unsafe { ntp_gettime(result) }
}

/// Reading a clock's discipline shows a perfect one; nobody may change it.
///
/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn adjtimex(discipline: *mut libc::timex) -> c_int {
    if simulation().is_none() || discipline.is_null() {
        return call!(libc::SYS_adjtimex, discipline) as c_int;
    }
    // SAFETY: the caller vouches for the pointer; all zeros is a valid value.
    unsafe {
        if (*discipline).modes != 0 {
            set_errno(libc::EPERM);
            return -1;
        }
        discipline.write(std::mem::zeroed());
        super::gettimeofday(&raw mut (*discipline).time, std::ptr::null_mut());
    }
    0
}
