//! Hooks for the locks of C code: mutexes, read-write locks, condition variables and semaphores. Where threads take turns,
//! one that has to wait gives up its turn; everywhere else these calls pass through.
//!
//! A lock is taken for real by a call that does not wait, so the C library knows its owner and its count. Waiting is
//! virtual, and so are condition variables as a whole.

use std::sync::OnceLock;

use libc::{c_int, clockid_t, pthread_cond_t, pthread_condattr_t, pthread_mutex_t, pthread_rwlock_t, sem_t, timespec};

use super::super::raw::{Next, call, set_errno};
use super::super::turns::{self, FutexEnd};
use super::super::{child, preemption};
use super::waits::{self, nanos};
use crate::sandbox::simulated::{Simulation, simulation};

static MUTEX_LOCK: Next = Next::new(c"pthread_mutex_lock");
static MUTEX_TIMED_LOCK: Next = Next::new(c"pthread_mutex_timedlock");
static MUTEX_UNLOCK: Next = Next::new(c"pthread_mutex_unlock");
static READ_LOCK: Next = Next::new(c"pthread_rwlock_rdlock");
static WRITE_LOCK: Next = Next::new(c"pthread_rwlock_wrlock");
static RW_UNLOCK: Next = Next::new(c"pthread_rwlock_unlock");
static COND_WAIT: Next = Next::of_version(c"pthread_cond_wait", CONDITIONS);
static COND_TIMED_WAIT: Next = Next::of_version(c"pthread_cond_timedwait", CONDITIONS);
static COND_CLOCK_WAIT: Next = Next::new(c"pthread_cond_clockwait");
static COND_SIGNAL: Next = Next::of_version(c"pthread_cond_signal", CONDITIONS);
static COND_BROADCAST: Next = Next::of_version(c"pthread_cond_broadcast", CONDITIONS);
static SEM_WAIT: Next = Next::new(c"sem_wait");
static SEM_TIMED_WAIT: Next = Next::new(c"sem_timedwait");
static SEM_POST: Next = Next::new(c"sem_post");

/// The version of the condition variables that programs use today. Without it, a look-up may find those of before 2003,
/// which are laid out in another way.
#[cfg(target_arch = "x86_64")]
const CONDITIONS: &std::ffi::CStr = c"GLIBC_2.3.2";
#[cfg(target_arch = "aarch64")]
const CONDITIONS: &std::ffi::CStr = c"GLIBC_2.17";

type OfMutex = unsafe extern "C" fn(*mut pthread_mutex_t) -> c_int;
type OfMutexInTime = unsafe extern "C" fn(*mut pthread_mutex_t, *const timespec) -> c_int;
type OfReadWriteLock = unsafe extern "C" fn(*mut pthread_rwlock_t) -> c_int;
type OfCondition = unsafe extern "C" fn(*mut pthread_cond_t) -> c_int;
type OfBoth = unsafe extern "C" fn(*mut pthread_cond_t, *mut pthread_mutex_t) -> c_int;
type OfBothInTime = unsafe extern "C" fn(*mut pthread_cond_t, *mut pthread_mutex_t, *const timespec) -> c_int;
type OfBothByClock =
    unsafe extern "C" fn(*mut pthread_cond_t, *mut pthread_mutex_t, clockid_t, *const timespec) -> c_int;
type OfSemaphore = unsafe extern "C" fn(*mut sem_t) -> c_int;
type OfSemaphoreInTime = unsafe extern "C" fn(*mut sem_t, *const timespec) -> c_int;

/// Looks up the definitions that these hooks pass through to.
pub(super) fn look_up() {
    // SAFETY: the types are those of the symbols.
    unsafe {
        MUTEX_LOCK.get::<OfMutex>();
        MUTEX_TIMED_LOCK.get::<OfMutexInTime>();
        MUTEX_UNLOCK.get::<OfMutex>();
        READ_LOCK.get::<OfReadWriteLock>();
        WRITE_LOCK.get::<OfReadWriteLock>();
        RW_UNLOCK.get::<OfReadWriteLock>();
        COND_WAIT.get::<OfBoth>();
        COND_TIMED_WAIT.get::<OfBothInTime>();
        COND_CLOCK_WAIT.get::<OfBothByClock>();
        COND_SIGNAL.get::<OfCondition>();
        COND_BROADCAST.get::<OfCondition>();
        SEM_WAIT.get::<OfSemaphore>();
        SEM_TIMED_WAIT.get::<OfSemaphoreInTime>();
        SEM_POST.get::<OfSemaphore>();
    }
}

/// Calls the definition that a hook hides.
macro_rules! next {
    ($next:ident as $kind:ty, $($argument:expr),*) => {
        // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
        match unsafe { $next.get::<$kind>() } {
            Some(next) => unsafe { next($($argument),*) },
            None => libc::ENOSYS,
        }
    };
}

// The macro above is for this module, too.
pub(super) mod by_clock;

/// The simulation, if a wait in it gives up a turn.
#[inline]
fn with_turns<'a>() -> Option<&'a Simulation> {
    simulation().filter(|simulation| turns::take_turns(simulation) && !simulation.clocks.is_quiet())
}

/// Takes a lock by `attempt`, which says `EBUSY` where it would have to wait.
fn take(simulation: &Simulation, word: usize, until: Option<u64>, attempt: impl Fn() -> c_int) -> c_int {
    loop {
        let result = attempt();
        if result != libc::EBUSY {
            return result;
        }
        match turns::wait_at(simulation, word, true, until) {
            FutexEnd::Woken => {}
            FutexEnd::TimedOut => {
                waits::pass(simulation, until.unwrap_or_default());
                return libc::ETIMEDOUT;
            }
            FutexEnd::Never => {
                child::end_blocked(simulation);
                return libc::EDEADLK;
            }
        }
    }
}

/// Whether this thread holds the mutex already, and the mutex is of the kind that says so.
unsafe fn reports_own(mutex: *mut pthread_mutex_t) -> bool {
    const OWNER: usize = 2;
    const KIND: usize = 4;
    let words = mutex.cast::<c_int>();
    // SAFETY: the caller vouches for the mutex; these fields have had these places in every version.
    let (owner, kind) = unsafe { (words.add(OWNER).read_volatile(), words.add(KIND).read_volatile()) };
    kind & 3 == libc::PTHREAD_MUTEX_ERRORCHECK && owner == call!(libc::SYS_gettid) as c_int
}

unsafe fn lock(simulation: &Simulation, mutex: *mut pthread_mutex_t, until: Option<u64>) -> c_int {
    // SAFETY: the caller vouches for the mutex.
    if unsafe { reports_own(mutex) } {
        return libc::EDEADLK;
    }
    preemption::may_switch(simulation);
    // SAFETY: as above.
    take(simulation, mutex as usize, until, || unsafe { libc::pthread_mutex_trylock(mutex) })
}

unsafe fn unlock(simulation: &Simulation, mutex: *mut pthread_mutex_t) -> c_int {
    let result = next!(MUTEX_UNLOCK as OfMutex, mutex);
    if result == 0 {
        turns::wake_at(simulation, mutex as usize, 1);
    }
    result
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int {
    match with_turns() {
        // SAFETY: the caller vouches for the mutex.
        Some(simulation) => unsafe { lock(simulation, mutex, None) },
        None => next!(MUTEX_LOCK as OfMutex, mutex),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_mutex_timedlock(mutex: *mut pthread_mutex_t, time: *const timespec) -> c_int {
    match with_virtual_waits() {
        // SAFETY: the caller vouches for the mutex and the time.
        Some(simulation) => unsafe {
            let until = virtual_time(simulation, libc::CLOCK_REALTIME, time);
            lock(simulation, mutex, Some(until))
        },
        None => next!(MUTEX_TIMED_LOCK as OfMutexInTime, mutex, time),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int {
    match with_turns() {
        // SAFETY: the caller vouches for the mutex.
        Some(simulation) => unsafe {
            let result = unlock(simulation, mutex);
            preemption::may_switch(simulation);
            result
        },
        None => next!(MUTEX_UNLOCK as OfMutex, mutex),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_rwlock_rdlock(lock: *mut pthread_rwlock_t) -> c_int {
    match with_turns() {
        // SAFETY: the caller vouches for the lock.
        Some(simulation) => {
            preemption::may_switch(simulation);
            take(simulation, lock as usize, None, || unsafe { libc::pthread_rwlock_tryrdlock(lock) })
        }
        None => next!(READ_LOCK as OfReadWriteLock, lock),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_rwlock_wrlock(lock: *mut pthread_rwlock_t) -> c_int {
    match with_turns() {
        // SAFETY: the caller vouches for the lock.
        Some(simulation) => {
            preemption::may_switch(simulation);
            take(simulation, lock as usize, None, || unsafe { libc::pthread_rwlock_trywrlock(lock) })
        }
        None => next!(WRITE_LOCK as OfReadWriteLock, lock),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_rwlock_unlock(lock: *mut pthread_rwlock_t) -> c_int {
    let result = next!(RW_UNLOCK as OfReadWriteLock, lock);
    if let Some(simulation) = with_turns() {
        // Many readers may enter at once.
        turns::wake_at(simulation, lock as usize, usize::MAX);
        preemption::may_switch(simulation);
    }
    result
}

/// Waits at a condition without its mutex, which it holds again afterwards.
unsafe fn wait(
    simulation: &Simulation,
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    until: Option<u64>,
) -> c_int {
    // SAFETY: the caller vouches for the mutex.
    let unlocked = unsafe { unlock(simulation, mutex) };
    if unlocked != 0 {
        return unlocked;
    }
    // Nobody else has had a turn since then, so no signal is missed.
    let end = turns::wait_at(simulation, condition as usize, false, until);
    if end == FutexEnd::Never {
        child::end_blocked(simulation);
    }
    if end == FutexEnd::TimedOut {
        waits::pass(simulation, until.unwrap_or_default());
    }
    // SAFETY: as above.
    match unsafe { lock(simulation, mutex, None) } {
        0 if end == FutexEnd::TimedOut => libc::ETIMEDOUT,
        result => result,
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_cond_wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
) -> c_int {
    match with_turns() {
        // SAFETY: the caller vouches for the arguments.
        Some(simulation) => unsafe { wait(simulation, condition, mutex, None) },
        None => next!(COND_WAIT as OfBoth, condition, mutex),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_cond_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    match with_virtual_waits() {
        // SAFETY: the caller vouches for the arguments.
        Some(simulation) => unsafe {
            let until = virtual_time(simulation, clock_of(condition), time);
            wait(simulation, condition, mutex, Some(until))
        },
        None => next!(COND_TIMED_WAIT as OfBothInTime, condition, mutex, time),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_cond_clockwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    match with_virtual_waits() {
        // SAFETY: the caller vouches for the arguments.
        Some(simulation) => unsafe {
            let until = virtual_time(simulation, clock, time);
            wait(simulation, condition, mutex, Some(until))
        },
        None => next!(COND_CLOCK_WAIT as OfBothByClock, condition, mutex, clock, time),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_cond_signal(condition: *mut pthread_cond_t) -> c_int {
    match with_turns() {
        Some(simulation) => {
            turns::wake_at(simulation, condition as usize, 1);
            preemption::may_switch(simulation);
            0
        }
        None => next!(COND_SIGNAL as OfCondition, condition),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_cond_broadcast(condition: *mut pthread_cond_t) -> c_int {
    match with_turns() {
        Some(simulation) => {
            turns::wake_at(simulation, condition as usize, usize::MAX);
            preemption::may_switch(simulation);
            0
        }
        None => next!(COND_BROADCAST as OfCondition, condition),
    }
}

unsafe fn take_semaphore(simulation: &Simulation, semaphore: *mut sem_t, until: Option<u64>) -> c_int {
    loop {
        // SAFETY: the caller vouches for the semaphore.
        if unsafe { libc::sem_trywait(semaphore) } == 0 {
            return 0;
        }
        match turns::wait_at(simulation, semaphore as usize, false, until) {
            FutexEnd::Woken => {}
            FutexEnd::TimedOut => {
                waits::pass(simulation, until.unwrap_or_default());
                set_errno(libc::ETIMEDOUT);
                return -1;
            }
            FutexEnd::Never => {
                child::end_blocked(simulation);
                set_errno(libc::EDEADLK);
                return -1;
            }
        }
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sem_wait(semaphore: *mut sem_t) -> c_int {
    match with_turns() {
        // SAFETY: the caller vouches for the semaphore.
        Some(simulation) => unsafe { take_semaphore(simulation, semaphore, None) },
        None => next!(SEM_WAIT as OfSemaphore, semaphore),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sem_timedwait(semaphore: *mut sem_t, time: *const timespec) -> c_int {
    match with_virtual_waits() {
        // SAFETY: the caller vouches for the arguments.
        Some(simulation) => unsafe {
            let until = virtual_time(simulation, libc::CLOCK_REALTIME, time);
            take_semaphore(simulation, semaphore, Some(until))
        },
        None => next!(SEM_TIMED_WAIT as OfSemaphoreInTime, semaphore, time),
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sem_post(semaphore: *mut sem_t) -> c_int {
    let result = next!(SEM_POST as OfSemaphore, semaphore);
    if let Some(simulation) = with_turns() {
        turns::wake_at(simulation, semaphore as usize, 1);
        preemption::may_switch(simulation);
    }
    result
}

/// The simulation, if a wait in it is virtual: one gives up a turn, or no other thread could end it.
fn with_virtual_waits<'a>() -> Option<&'a Simulation> {
    simulation().filter(|simulation| {
        (turns::take_turns(simulation) || simulation.threads.get() == 0) && !simulation.clocks.is_quiet()
    })
}

/// The virtual time at which this clock reads `time`.
unsafe fn virtual_time(simulation: &Simulation, clock: clockid_t, time: *const timespec) -> u64 {
    // SAFETY: the caller vouches for the time.
    let time = nanos(unsafe { &*time });
    let reading = simulation.clocks.peek();
    if clock == libc::CLOCK_MONOTONIC {
        reading.virtual_at(time)
    } else {
        reading.virtual_nanos.saturating_add(time.saturating_sub(simulation.wall()))
    }
}

/// The clock by which a condition's waits are timed, which only the condition itself knows.
unsafe fn clock_of(condition: *const pthread_cond_t) -> clockid_t {
    static MARK: OnceLock<Option<(usize, u8)>> = OnceLock::new();
    let Some((place, bit)) = *MARK.get_or_init(find_mark_of_monotonic) else { return libc::CLOCK_REALTIME };
    // SAFETY: the place is within a condition, and the caller vouches for this one.
    let byte = unsafe { condition.cast::<u8>().add(place).read_volatile() };
    if byte & bit == 0 { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC }
}

/// Finds what the C library sets in a condition that goes by the monotonic clock. The place has changed between versions.
fn find_mark_of_monotonic() -> Option<(usize, u8)> {
    const LENGTH: usize = size_of::<pthread_cond_t>();
    let made_for = |clock| {
        let mut bytes = [0_u64; LENGTH.div_ceil(8)];
        // SAFETY: the buffers are large enough and aligned, and no other thread knows them.
        unsafe {
            let mut attributes: pthread_condattr_t = std::mem::zeroed();
            libc::pthread_condattr_init(&raw mut attributes);
            libc::pthread_condattr_setclock(&raw mut attributes, clock);
            libc::pthread_cond_init(bytes.as_mut_ptr().cast(), &raw const attributes);
            libc::pthread_condattr_destroy(&raw mut attributes);
        }
        bytes
    };
    let (by_wall, monotonic) = (made_for(libc::CLOCK_REALTIME), made_for(libc::CLOCK_MONOTONIC));
    let differences = by_wall.iter().zip(&monotonic).flat_map(|(a, b)| (a ^ b).to_le_bytes());
    differences.enumerate().find(|(_, bits)| *bits != 0)
}
