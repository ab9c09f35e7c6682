//! Hooks for waits by a clock that the caller chooses, and for timed waits for read-write locks.

use libc::{c_int, clockid_t, pthread_mutex_t, pthread_rwlock_t, sem_t, timespec};

use super::super::super::raw::Next;
use super::super::hook::Hook;
use super::{lock, take, take_semaphore, virtual_time, with_virtual_waits};

/// The hooks of this file.
pub(in super::super) static HOOKS: [Hook; 4] = [
    Hook(sem_clockwait as *const _),
    Hook(pthread_mutex_clocklock as *const _),
    Hook(pthread_rwlock_timedrdlock as *const _),
    Hook(pthread_rwlock_timedwrlock as *const _),
];

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn sem_clockwait(semaphore: *mut sem_t, clock: clockid_t, time: *const timespec) -> c_int {
    match with_virtual_waits() {
        // SAFETY: the caller vouches for the arguments.
        Some(simulation) => unsafe {
            let until = virtual_time(simulation, clock, time);
            take_semaphore(simulation, semaphore, Some(until))
        },
        None => {
            static NEXT: Next = Next::new(c"sem_clockwait");
            next!(NEXT as unsafe extern "C" fn(*mut sem_t, clockid_t, *const timespec) -> c_int, semaphore, clock, time)
        }
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_mutex_clocklock(
    mutex: *mut pthread_mutex_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    match with_virtual_waits() {
        // SAFETY: the caller vouches for the mutex and the time.
        Some(simulation) => unsafe {
            let until = virtual_time(simulation, clock, time);
            lock(simulation, mutex, Some(until))
        },
        None => {
            static NEXT: Next = Next::new(c"pthread_mutex_clocklock");
            type Kind = unsafe extern "C" fn(*mut pthread_mutex_t, clockid_t, *const timespec) -> c_int;
            next!(NEXT as Kind, mutex, clock, time)
        }
    }
}

type OfReadWriteLockInTime = unsafe extern "C" fn(*mut pthread_rwlock_t, *const timespec) -> c_int;

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_rwlock_timedrdlock(lock: *mut pthread_rwlock_t, time: *const timespec) -> c_int {
    match with_virtual_waits() {
        Some(simulation) => {
            // SAFETY: the caller vouches for the time.
            let until = unsafe { virtual_time(simulation, libc::CLOCK_REALTIME, time) };
            // SAFETY: the caller vouches for the lock.
            take(simulation, lock as usize, Some(until), || unsafe { libc::pthread_rwlock_tryrdlock(lock) })
        }
        None => {
            static NEXT: Next = Next::new(c"pthread_rwlock_timedrdlock");
            next!(NEXT as OfReadWriteLockInTime, lock, time)
        }
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_rwlock_timedwrlock(lock: *mut pthread_rwlock_t, time: *const timespec) -> c_int {
    match with_virtual_waits() {
        Some(simulation) => {
            // SAFETY: the caller vouches for the time.
            let until = unsafe { virtual_time(simulation, libc::CLOCK_REALTIME, time) };
            // SAFETY: the caller vouches for the lock.
            take(simulation, lock as usize, Some(until), || unsafe { libc::pthread_rwlock_trywrlock(lock) })
        }
        None => {
            static NEXT: Next = Next::new(c"pthread_rwlock_timedwrlock");
            next!(NEXT as OfReadWriteLockInTime, lock, time)
        }
    }
}
