//! Hooks for waits that end by time or by a descriptor of the operating system, which the C library makes by calls of its
//! own.

use std::ffi::c_void;

use libc::{c_int, c_uint, clockid_t, fd_set, pollfd, siginfo_t, sigset_t, timespec, timeval};

use super::super::super::child;
use super::super::super::raw::{pass, set_errno};
use super::super::hook::Hook;
use super::{nanos, sleep_for};
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::{Simulation, simulation};

/// The hooks of this file.
pub(in super::super) static HOOKS: [Hook; 9] = [
    Hook(sleep as *const _),
    Hook(thrd_sleep as *const _),
    Hook(select as *const _),
    Hook(pselect as *const _),
    Hook(sigtimedwait as *const _),
    Hook(setitimer as *const _),
    Hook(alarm as *const _),
    Hook(timer_create as *const _),
    Hook(pause as *const _),
];

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn sleep(seconds: c_uint) -> c_uint {
    let length = timespec { tv_sec: seconds.into(), tv_nsec: 0 };
    // SAFETY: the time is a local variable.
    unsafe { super::nanosleep(&raw const length, std::ptr::null_mut()) };
    0
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn thrd_sleep(length: *const timespec, left: *mut timespec) -> c_int {
    // SAFETY: the caller vouches for the arguments.
    unsafe { super::nanosleep(length, left) }
}

/// Waits only for time; `None` waits for ever.
pub(in super::super) fn wait_for_time(simulation: &Simulation, length: Option<u64>) {
    match length {
        Some(length) => sleep_for(simulation, length),
        None => child::end_blocked(simulation),
    }
}

/// Whether a set has no descriptor below `count`.
///
/// # Safety
/// `set` must be null or point to a set.
unsafe fn is_empty(set: *const fd_set, count: c_int) -> bool {
    // SAFETY: the caller vouches for the set.
    set.is_null() || (0..count.min(libc::FD_SETSIZE as c_int)).all(|fd| unsafe { !libc::FD_ISSET(fd, set) })
}

/// Answers a wait for descriptors if there are none.
unsafe fn without_descriptors(count: c_int, sets: [*mut fd_set; 3], length: Option<u64>) -> Option<c_int> {
    let simulation = simulation().filter(|simulation| !simulation.clocks.is_quiet())?;
    // SAFETY: the caller vouches for the sets.
    if !sets.into_iter().all(|set| unsafe { is_empty(set, count) }) {
        return None;
    }
    wait_for_time(simulation, length);
    Some(0)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    length: *mut timeval,
) -> c_int {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let wait = length
            .as_ref()
            .map(|time| (time.tv_sec.max(0) as u64) * 1_000_000_000 + time.tv_usec.max(0) as u64 * 1_000);
        if let Some(answer) = without_descriptors(count, [read, write, except], wait) {
            // Linux shows the time that is left.
            if let Some(length) = length.as_mut() {
                *length = timeval { tv_sec: 0, tv_usec: 0 };
            }
            return answer;
        }
        let mut left = length.as_ref().map(|time| timespec { tv_sec: time.tv_sec, tv_nsec: time.tv_usec * 1_000 });
        let left = left.as_mut().map_or(std::ptr::null_mut(), |left| &raw mut *left);
        pass!(libc::SYS_pselect6, count, read, write, except, left, 0) as c_int
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn pselect(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    length: *const timespec,
    signals: *const sigset_t,
) -> c_int {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let wait = length.as_ref().map(nanos);
        if let Some(answer) = without_descriptors(count, [read, write, except], wait) {
            return answer;
        }
        let mut left = length.as_ref().copied();
        let left = left.as_mut().map_or(std::ptr::null_mut(), |left| &raw mut *left);
        // The kernel wants the set of signals and its size in bytes.
        let signals = [signals as usize, 8];
        pass!(libc::SYS_pselect6, count, read, write, except, left, signals.as_ptr()) as c_int
    }
}

/// Answers a wait for descriptors of which there are none: `poll` with an empty list, or an epoll of nothing.
pub(in super::super) fn poll_nothing(watched: *mut pollfd, count: libc::nfds_t, length: Option<u64>) -> Option<c_int> {
    let simulation = simulation().filter(|simulation| !simulation.clocks.is_quiet())?;
    if count > 0 && !watched.is_null() {
        return None;
    }
    wait_for_time(simulation, length);
    Some(0)
}

/// Signals that nobody sends do not come: only time ends the wait.
///
/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn sigtimedwait(
    signals: *const sigset_t,
    information: *mut siginfo_t,
    length: *const timespec,
) -> c_int {
    let Some(simulation) = simulation() else {
        return pass!(libc::SYS_rt_sigtimedwait, signals, information, length, 8) as c_int;
    };
    let at_once = timespec { tv_sec: 0, tv_nsec: 0 };
    let pending = pass!(libc::SYS_rt_sigtimedwait, signals, information, &raw const at_once, 8) as c_int;
    if pending < 0 {
        // SAFETY: the caller vouches for the time.
        wait_for_time(simulation, unsafe { length.as_ref() }.map(nanos));
        set_errno(libc::EAGAIN);
    }
    pending
}

/// A signal at a real time would interrupt a run anywhere, so such a timer is refused.
fn refuse(what: &'static str) -> c_int {
    record_escape(EscapeKind::RefusedCall, || format!("{what}: a signal at a time"));
    set_errno(libc::ENOSYS);
    -1
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn setitimer(which: c_uint, new: *const c_void, old: *mut c_void) -> c_int {
    match simulation() {
        Some(_) => refuse("setitimer"),
        None => pass!(libc::SYS_setitimer, which, new, old) as c_int,
    }
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn alarm(seconds: c_uint) -> c_uint {
    if simulation().is_some() {
        if seconds > 0 {
            refuse("alarm");
        }
        return 0;
    }
    let setting = [0, 0, i64::from(seconds), 0];
    let mut old = [0_i64; 4];
    pass!(libc::SYS_setitimer, libc::ITIMER_REAL, setting.as_ptr(), old.as_mut_ptr());
    old[2].max(0) as c_uint
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(in super::super) unsafe extern "C" fn timer_create(
    clock: clockid_t,
    event: *mut c_void,
    timer: *mut *mut c_void,
) -> c_int {
    use super::super::super::raw::Next;
    if simulation().is_some() {
        return refuse("timer_create");
    }
    static NEXT: Next = Next::new(c"timer_create");
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    match unsafe { NEXT.get::<unsafe extern "C" fn(clockid_t, *mut c_void, *mut *mut c_void) -> c_int>() } {
        Some(next) => unsafe { next(clock, event, timer) },
        None => -1,
    }
}

#[unsafe(no_mangle)]
pub(in super::super) extern "C" fn pause() -> c_int {
    if let Some(simulation) = simulation() {
        wait_for_time(simulation, None);
    }
    pass!(libc::SYS_ppoll, 0, 0, 0, 0, 0) as c_int
}
