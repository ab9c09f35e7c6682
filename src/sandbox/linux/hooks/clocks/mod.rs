//! Hooks for clocks.

pub(super) mod accounts;

use std::ffi::c_void;

use libc::{c_int, clockid_t, time_t, timespec, timeval};

use super::super::raw::{Next, call, set_errno};
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::{Simulation, simulation};

/// Whether a simulated machine has this clock.
pub(in super::super) fn is_modelled(clock: clockid_t) -> bool {
    // The clocks of the processor time of single threads and processes have negative numbers.
    (libc::CLOCK_REALTIME..=libc::CLOCK_TAI).contains(&clock) && clock != SGI_CYCLE || clock < 0
}

/// A clock that is no more (`CLOCK_SGI_CYCLE`).
const SGI_CYCLE: clockid_t = 10;

/// What a clock shows, in nanoseconds; `None` for one that a simulated machine does not have.
pub(in super::super) fn shown(simulation: &Simulation, clock: clockid_t) -> Option<u64> {
    match clock {
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_BOOTTIME
        | libc::CLOCK_BOOTTIME_ALARM => Some(simulation.monotonic()),
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_REALTIME_ALARM | libc::CLOCK_TAI => {
            Some(simulation.wall())
        }
        _ if is_modelled(clock) => Some(simulation.spent()),
        _ => None,
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn clock_gettime(clock: clockid_t, result: *mut timespec) -> c_int {
    if let Some(simulation) = simulation() {
        let nanos = shown(simulation, clock);
        if let Some(nanos) = nanos {
            if result.is_null() {
                set_errno(libc::EFAULT);
                return -1;
            }
            let answer = timespec {
                tv_sec: (nanos / 1_000_000_000) as time_t,
                tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
            };
            // SAFETY: the caller vouches for the pointer, which is not null.
            unsafe { result.write(answer) };
            return 0;
        }
        record_escape(EscapeKind::UnmodelledClock, || format!("clock {clock}"));
    }
    // A call that passes through has been recorded already; the system call filter must not record it again.
    let was_quiet = simulation().map(|simulation| simulation.clocks.set_quiet(true));
    // The C library's own definition makes no system call for the common clocks.
    static NEXT: Next = Next::new(c"clock_gettime");
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    let answer = match unsafe { NEXT.get::<unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int>() } {
        Some(next) => unsafe { next(clock, result) },
        None => call!(libc::SYS_clock_gettime, clock, result) as c_int,
    };
    if let (Some(simulation), Some(was_quiet)) = (simulation(), was_quiet) {
        simulation.clocks.set_quiet(was_quiet);
    }
    answer
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn gettimeofday(result: *mut timeval, _zone: *mut c_void) -> c_int {
    if !result.is_null() {
        let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is valid, and so is the caller's pointer if it is not null.
        unsafe {
            clock_gettime(libc::CLOCK_REALTIME, &mut now);
            result.write(timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1_000 });
        }
    }
    0
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn time(result: *mut time_t) -> time_t {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid, and so is the caller's pointer if it is not null.
    unsafe {
        clock_gettime(libc::CLOCK_REALTIME, &mut now);
        if !result.is_null() {
            result.write(now.tv_sec);
        }
    }
    now.tv_sec
}
