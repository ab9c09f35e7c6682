//! Hooks for timers that are descriptors.

use std::time::Duration;

use libc::{c_int, itimerspec, timespec};

use super::super::super::raw::pass;
use super::answers::{descriptors, done, is_simulated, makers, status};
use crate::sandbox::descriptors::{Errno, TimerSetting};

#[unsafe(no_mangle)]
pub(super) extern "C" fn timerfd_create(clock: c_int, flags: c_int) -> c_int {
    match makers() {
        Some(descriptors) => status(descriptors.timer(clock, flags)),
        None => pass!(libc::SYS_timerfd_create, clock, flags) as c_int,
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn timerfd_settime(
    fd: c_int,
    flags: c_int,
    new: *const itimerspec,
    old: *mut itimerspec,
) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_timerfd_settime, fd, flags, new, old) as c_int;
    }
    let set = || -> Result<(), Errno> {
        let descriptors = descriptors()?;
        // SAFETY: the caller vouches for the memory.
        let new = unsafe { new.as_ref() }.ok_or(libc::EFAULT)?;
        let (mut value, interval) = (duration(&new.it_value)?, duration(&new.it_interval)?);
        if flags & libc::TFD_TIMER_ABSTIME != 0 && !value.is_zero() {
            // A time that has passed is over at once.
            value = value.saturating_sub(now(descriptors.clock_of_timer(fd)?)).max(Duration::from_nanos(1));
        }
        let left = descriptors.set_timer(fd, TimerSetting { value, interval })?;
        if !old.is_null() {
            // SAFETY: the caller vouches for the memory.
            unsafe { old.write(raw(left)) };
        }
        Ok(())
    };
    done(set())
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn timerfd_gettime(fd: c_int, left: *mut itimerspec) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_timerfd_gettime, fd, left) as c_int;
    }
    // SAFETY: the caller vouches for the memory.
    done(
        descriptors().and_then(|descriptors| descriptors.timer_left(fd)).map(|found| unsafe { left.write(raw(found)) }),
    )
}

/// What a clock of the program shows.
fn now(clock: c_int) -> Duration {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is writable.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    duration(&now).unwrap_or_default()
}

fn duration(time: &timespec) -> Result<Duration, Errno> {
    match (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec)) {
        (Ok(seconds), Ok(nanoseconds @ 0..1_000_000_000)) => Ok(Duration::new(seconds, nanoseconds)),
        _ => Err(libc::EINVAL),
    }
}

fn raw(TimerSetting { value, interval }: TimerSetting) -> itimerspec {
    let time = |of: Duration| timespec { tv_sec: of.as_secs() as i64, tv_nsec: i64::from(of.subsec_nanos()) };
    itimerspec { it_interval: time(interval), it_value: time(value) }
}
