//! Hooks for waiting until descriptors are ready: epoll, poll, and the events that wake an epoll.

use std::time::Duration;

use libc::{c_int, c_short, c_uint, epoll_event, nfds_t, pollfd, sigset_t, timespec};

use super::super::super::raw::{pass, set_errno};
use super::super::super::threads::is_thread_of_program;
use super::super::super::turns;
use super::super::waits::{self, timeouts};
use super::answers::{answer, descriptors, done, is_simulated, makers, status};
use crate::sandbox::clock::nanos;
use crate::sandbox::descriptors::Errno;
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::simulation;

#[unsafe(no_mangle)]
pub(super) extern "C" fn epoll_create(size: c_int) -> c_int {
    if size <= 0 {
        set_errno(libc::EINVAL);
        return -1;
    }
    epoll_create1(0)
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn epoll_create1(flags: c_int) -> c_int {
    match makers() {
        Some(descriptors) => {
            let epoll = descriptors.epoll();
            if let (Some(simulation), Ok(epoll)) = (simulation(), epoll) {
                simulation.jumps.note_epoll(epoll);
            }
            status(epoll)
        }
        None => pass!(libc::SYS_epoll_create1, flags) as c_int,
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut epoll_event) -> c_int {
    if !is_simulated(epoll) {
        return pass!(libc::SYS_epoll_ctl, epoll, operation, fd, event) as c_int;
    }
    if !is_simulated(fd) {
        // A descriptor of the operating system would wake the program at a time that no seed decides, so it never does.
        // Tokio's runtimes watch one for signals, which was made before the simulation began.
        if tokio::runtime::Handle::try_current().is_ok() {
            record_escape(EscapeKind::RealSocket, || "a real descriptor, watched by a simulated epoll".to_owned());
        }
        return 0;
    }
    // SAFETY: the caller vouches for the event, which may be null where an interest is removed.
    let interest = unsafe { event.as_ref() }.map_or((0, 0), |event| (event.events, event.u64));
    done(descriptors().and_then(|descriptors| descriptors.epoll_control(epoll, operation, fd, interest)))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_wait(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: c_int,
) -> c_int {
    // SAFETY: the caller vouches for the memory.
    unsafe { epoll_pwait(epoll, events, most, timeout, std::ptr::null()) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_pwait(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: c_int,
    signals: *const sigset_t,
) -> c_int {
    if !is_simulated(epoll) {
        // The kernel's set of signals has 8 bytes.
        return pass!(libc::SYS_epoll_pwait, epoll, events, most, timeout, signals, 8) as c_int;
    }
    let wait = || -> Result<isize, Errno> {
        let (descriptors, mut found) = (descriptors()?, Vec::new());
        let most = usize::try_from(most).ok().filter(|most| *most > 0).ok_or(libc::EINVAL)?;
        let mut look = || {
            descriptors.epoll_take(epoll, most, &mut found)?;
            Ok(!found.is_empty())
        };
        if rests(epoll) {
            turns::rest_until(time(timeout), look)
        } else {
            turns::wait_until(time(timeout), &mut look)
        }?;
        for (place, (ready, data)) in found.iter().enumerate() {
            // SAFETY: the caller vouches for room for as many events.
            unsafe { events.add(place).write_unaligned(epoll_event { events: *ready, u64: *data }) };
        }
        Ok(found.len() as isize)
    };
    answer(wait()) as c_int
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_pwait2(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: *const timespec,
    signals: *const sigset_t,
) -> c_int {
    if !is_simulated(epoll) {
        return pass!(libc::SYS_epoll_pwait2, epoll, events, most, timeout, signals, 8) as c_int;
    }
    // SAFETY: the caller vouches for the time.
    let milliseconds = unsafe { timeout.as_ref() }.map(|time| waits::nanos(time).div_ceil(1_000_000));
    let milliseconds = milliseconds.map_or(-1, |length| length.min(i32::MAX as u64) as c_int);
    // SAFETY: the caller vouches for the memory.
    unsafe { epoll_pwait(epoll, events, most, milliseconds, signals) }
}

/// Whether the runtime that waits here is one that is run until it rests.
fn rests(epoll: c_int) -> bool {
    simulation().is_some_and(|simulation| simulation.jumps.runs(epoll)) && !is_thread_of_program()
}

/// How long a timeout in milliseconds waits; `None` for ever.
fn time(timeout_ms: c_int) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().map(Duration::from_millis)
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn eventfd(initial: c_uint, flags: c_int) -> c_int {
    match makers() {
        Some(descriptors) => status(descriptors.event(u64::from(initial), flags)),
        None => pass!(libc::SYS_eventfd2, initial, flags) as c_int,
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn poll(watched: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    // SAFETY: the caller vouches for the memory.
    match unsafe { simulated(watched, count) } {
        Some(watched) => poll_simulated(watched, time(timeout)),
        None => match timeouts::poll_nothing(watched, count, time(timeout).map(nanos)) {
            Some(answer) => answer,
            None => pass!(libc::SYS_poll, watched, count, timeout) as c_int,
        },
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __poll_chk(watched: *mut pollfd, count: nfds_t, timeout: c_int, _: usize) -> c_int {
    // SAFETY: the caller vouches for the memory.
    unsafe { poll(watched, count, timeout) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn ppoll(
    watched: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    signals: *const sigset_t,
) -> c_int {
    // SAFETY: the caller vouches for the memory.
    match unsafe { simulated(watched, count) } {
        Some(watched) => {
            // SAFETY: the caller vouches for the time.
            let timeout = unsafe { timeout.as_ref() };
            poll_simulated(
                watched,
                timeout.map(|time| Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)),
            )
        }
        None => {
            // SAFETY: the caller vouches for the time.
            let length = unsafe { timeout.as_ref() }.map(waits::nanos);
            if let Some(answer) = timeouts::poll_nothing(watched, count, length) {
                return answer;
            }
            // The kernel writes the time that is left, which the C library's function does not.
            // SAFETY: the caller vouches for the time.
            let mut left = unsafe { timeout.as_ref() }.copied();
            let left = left.as_mut().map_or(std::ptr::null_mut(), |left| &raw mut *left);
            pass!(libc::SYS_ppoll, watched, count, left, signals, 8) as c_int
        }
    }
}

/// The watched descriptors, if one of them is simulated.
///
/// # Safety
/// `watched` must point to `count` of them.
unsafe fn simulated<'a>(watched: *mut pollfd, count: nfds_t) -> Option<&'a mut [pollfd]> {
    if count == 0 {
        return None;
    }
    // SAFETY: the caller vouches for the memory.
    let watched = unsafe { std::slice::from_raw_parts_mut(watched, count as usize) };
    watched.iter().any(|watched| is_simulated(watched.fd)).then_some(watched)
}

/// Descriptors of the operating system beside simulated ones are never ready.
fn poll_simulated(watched: &mut [pollfd], timeout: Option<Duration>) -> c_int {
    let mut wait = || -> Result<isize, Errno> {
        let (descriptors, mut ready) = (descriptors()?, 0);
        turns::wait_until(timeout, || {
            ready = 0;
            for watched in watched.iter_mut() {
                watched.revents = 0;
                if is_simulated(watched.fd) {
                    let level = descriptors.level(watched.fd).map_or(libc::POLLNVAL, |level| level as c_short);
                    let always = libc::POLLERR | libc::POLLHUP | libc::POLLNVAL;
                    watched.revents = level & (watched.events | always);
                }
                ready += isize::from(watched.revents != 0);
            }
            Ok(ready > 0)
        })?;
        Ok(ready)
    };
    answer(wait()) as c_int
}
