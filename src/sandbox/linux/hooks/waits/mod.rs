//! Hooks for sleeps and waits with a timeout, which take virtual time.
//!
//! Virtual time stands still while code runs, so a wait that no other thread can end would never end. It returns at
//! once instead and moves its host's clock. Only if the code has started real threads does it really wait.

pub(super) mod timeouts;

use std::sync::atomic::{AtomicU32, Ordering};

use libc::{c_int, c_long, c_uint, clockid_t, timespec};

use super::super::raw::{call, returned, set_errno, system_call};
use super::super::turns::{self, FutexEnd};
use super::super::{blocked, child, preemption};
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::{Simulation, simulation};

/// The futex of a lock, the standard library's and many another's, while somebody holds it and others wait.
const LOCKED_AND_AWAITED: u32 = 2;

/// Answers a futex operation. `None` for one that passes through.
///
/// # Safety
/// The first argument must point to a futex. For a wait, the fourth must be null or point to a time.
pub(super) unsafe fn futex(arguments: [usize; 6]) -> Option<c_long> {
    let simulation = simulation()?;
    let [word, operation, expected, time, ..] = arguments;
    let operation = operation as c_int;
    let command = operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    if turns::take_turns(simulation) && matches!(command, libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET) {
        let most = expected.min(i32::MAX as usize);
        let woken = turns::wake_at(simulation, word, most);
        // Threads of other simulations may wait there, too.
        // SAFETY: the caller vouches for the arguments.
        let others = unsafe { system_call(libc::SYS_futex, arguments) }.max(0) as usize;
        preemption::may_switch(simulation);
        return Some((woken + others) as c_long);
    }
    if !matches!(command, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET) || simulation.clocks.is_quiet() {
        return None;
    }
    // SAFETY: the caller passes an aligned word, which other threads may change concurrently.
    if unsafe { &*(word as *const AtomicU32) }.load(Ordering::SeqCst) != expected as u32 {
        set_errno(libc::EAGAIN);
        return Some(-1);
    }
    if time == 0 && turns::take_turns(simulation) {
        return match turns::wait_at(simulation, word, expected as u32 == LOCKED_AND_AWAITED, None) {
            FutexEnd::Woken | FutexEnd::TimedOut => Some(0),
            FutexEnd::Never => {
                child::end_blocked(simulation);
                None
            }
        };
    }
    if time == 0 {
        // With no other thread, nothing can end this wait.
        child::end_blocked_if_alone(simulation);
        return None;
    }
    // SAFETY: the caller passes a valid time.
    let time = nanos(unsafe { &*(time as *const timespec) });
    let reading = simulation.clocks.peek();
    let until = if command == libc::FUTEX_WAIT {
        reading.virtual_nanos.saturating_add(time)
    } else if operation & libc::FUTEX_CLOCK_REALTIME != 0 {
        reading.virtual_nanos.saturating_add(time.saturating_sub(simulation.wall()))
    } else {
        reading.virtual_at(time)
    };
    if turns::take_turns(simulation) && turns::wait_at(simulation, word, false, Some(until)) == FutexEnd::Woken {
        return Some(0);
    }
    if simulation.threads.get() > 0 {
        let left = duration(until.saturating_sub(reading.virtual_nanos));
        let wait = libc::FUTEX_WAIT | (operation & libc::FUTEX_PRIVATE_FLAG);
        // SAFETY: the futex is the caller's, and the time is a local variable.
        let result =
            unsafe { system_call(libc::SYS_futex, [word, wait as usize, expected, &raw const left as usize, 0, 0]) };
        if result != -(libc::ETIMEDOUT as isize) {
            return Some(returned(result));
        }
    }
    if !turns::take_turns(simulation) {
        blocked::note(simulation, reading.slot, reading.virtual_nanos, until, "a time");
    }
    // Even a wait of no length takes a moment: code that waits again for what is left, which may be nothing, would never
    // see its time pass.
    simulation.clocks.run_ahead(reading.slot, until.max(reading.virtual_nanos + 1));
    set_errno(libc::ETIMEDOUT);
    Some(-1)
}

/// Lets time pass until just after the end of a wait.
pub(super) fn pass(simulation: &Simulation, until: u64) {
    let reading = simulation.clocks.peek();
    simulation.clocks.run_ahead(reading.slot, until.max(reading.virtual_nanos + 1));
}

pub(super) fn nanos(time: &timespec) -> u64 {
    (time.tv_sec.max(0) as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec.max(0) as u64)
}

fn duration(nanos: u64) -> timespec {
    timespec { tv_sec: (nanos / 1_000_000_000) as libc::time_t, tv_nsec: (nanos % 1_000_000_000) as c_long }
}

/// Sleeps until the virtual time that `until` computes from the current one.
fn sleep(simulation: &Simulation, until: impl FnOnce(u64) -> u64) {
    let reading = simulation.clocks.peek();
    let until = until(reading.virtual_nanos);
    let length = until.saturating_sub(reading.virtual_nanos);
    if turns::sleep_until(simulation, until) {
        return;
    }
    record_escape(EscapeKind::BlockingSleep, || format!("{:?}", std::time::Duration::from_nanos(length)));
    if simulation.threads.get() > 0 {
        let length = duration(length);
        call!(libc::SYS_nanosleep, &raw const length, 0);
    }
    simulation.clocks.run_ahead(reading.slot, until);
}

/// Sleeps for so many nanoseconds.
fn sleep_for(simulation: &Simulation, length: u64) {
    sleep(simulation, |now| now.saturating_add(length));
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn nanosleep(length: *const timespec, left: *mut timespec) -> c_int {
    match simulation() {
        Some(simulation) if !length.is_null() => {
            // SAFETY: the caller passes a valid time.
            let length = nanos(unsafe { &*length });
            sleep(simulation, |now| now.saturating_add(length));
            0
        }
        _ => call!(libc::SYS_nanosleep, length, left) as c_int,
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> c_int {
    match simulation() {
        Some(simulation) if !time.is_null() => {
            // SAFETY: the caller passes a valid time.
            let time = nanos(unsafe { &*time });
            if flags & libc::TIMER_ABSTIME == 0 {
                sleep(simulation, |now| now.saturating_add(time));
            } else if clock == libc::CLOCK_REALTIME {
                let length = time.saturating_sub(simulation.wall());
                sleep(simulation, |now| now.saturating_add(length));
            } else {
                let reading = simulation.clocks.peek();
                sleep(simulation, |_| reading.virtual_at(time));
            }
            0
        }
        // This function returns the error instead of setting `errno`.
        // SAFETY: the caller vouches for the arguments.
        _ => unsafe {
            -system_call(
                libc::SYS_clock_nanosleep,
                [clock as usize, flags as usize, time as usize, left as usize, 0, 0],
            ) as c_int
        },
    }
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn usleep(micros: c_uint) -> c_int {
    let length = duration(u64::from(micros) * 1_000);
    // SAFETY: the time is a local variable.
    unsafe { nanosleep(&raw const length, std::ptr::null_mut()) }
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn sched_yield() -> c_int {
    match simulation().filter(|simulation| turns::take_turns(simulation)) {
        Some(simulation) => {
            turns::give_way(simulation);
            0
        }
        None => call!(libc::SYS_sched_yield) as c_int,
    }
}
