//! Waits with a timeout, which take virtual time: on a thread, where programs block, and by every way of C.

use std::mem::MaybeUninit;
use std::sync::{Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use libc::{c_int, timespec};

use crate::probe::{Probe, errno, waited};

const MS: Duration = Duration::from_millis(20);

unsafe extern "C" {
    fn sem_clockwait(semaphore: *mut libc::sem_t, clock: c_int, until: *const timespec) -> c_int;
    fn pthread_cond_clockwait(
        condition: *mut libc::pthread_cond_t,
        mutex: *mut libc::pthread_mutex_t,
        clock: c_int,
        until: *const timespec,
    ) -> c_int;
    fn pthread_mutex_clocklock(mutex: *mut libc::pthread_mutex_t, clock: c_int, until: *const timespec) -> c_int;
    fn pthread_rwlock_timedrdlock(lock: *mut libc::pthread_rwlock_t, until: *const timespec) -> c_int;
    fn pthread_rwlock_timedwrlock(lock: *mut libc::pthread_rwlock_t, until: *const timespec) -> c_int;
    fn epoll_pwait2(
        epoll: c_int,
        events: *mut libc::epoll_event,
        most: c_int,
        timeout: *const timespec,
        signals: *const libc::sigset_t,
    ) -> c_int;
    fn sleep(seconds: u32) -> u32;
}

/// A length of 20 ms.
fn length() -> timespec {
    timespec { tv_sec: 0, tv_nsec: 20_000_000 }
}

/// The time of a clock in 20 ms.
fn soon(clock: c_int) -> timespec {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is writable.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    let nanos = now.tv_nsec + 20_000_000;
    timespec { tv_sec: now.tv_sec + nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 }
}

fn condition(by_clock: bool) -> String {
    let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
    let mut condition = libc::PTHREAD_COND_INITIALIZER;
    waited(20, || {
        // SAFETY: both are initialised and outlive the wait.
        unsafe {
            libc::pthread_mutex_lock(&raw mut mutex);
            if by_clock {
                let until = soon(libc::CLOCK_MONOTONIC);
                return pthread_cond_clockwait(&raw mut condition, &raw mut mutex, libc::CLOCK_MONOTONIC, &until);
            }
            let until = soon(libc::CLOCK_REALTIME);
            libc::pthread_cond_timedwait(&raw mut condition, &raw mut mutex, &until)
        }
    })
}

fn semaphore(by_clock: bool) -> String {
    let mut semaphore = MaybeUninit::<libc::sem_t>::uninit();
    waited(20, || {
        // SAFETY: it is initialised here and outlives the wait.
        unsafe {
            libc::sem_init(semaphore.as_mut_ptr(), 0, 0);
            let result = if by_clock {
                sem_clockwait(semaphore.as_mut_ptr(), libc::CLOCK_MONOTONIC, &soon(libc::CLOCK_MONOTONIC))
            } else {
                libc::sem_timedwait(semaphore.as_mut_ptr(), &soon(libc::CLOCK_REALTIME))
            };
            (result, errno())
        }
    })
}

/// Waits for a lock that this thread holds itself.
fn locked(how: fn(*mut libc::pthread_mutex_t) -> c_int) -> String {
    let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
    // SAFETY: it is initialised and outlives the wait.
    unsafe { libc::pthread_mutex_lock(&raw mut mutex) };
    waited(20, || how(&raw mut mutex))
}

fn read_locked(how: fn(*mut libc::pthread_rwlock_t) -> c_int) -> String {
    let mut lock = libc::PTHREAD_RWLOCK_INITIALIZER;
    let lock = &raw mut lock;
    let address = lock as usize;
    // SAFETY: it is initialised and outlives the thread.
    thread::spawn(move || unsafe { libc::pthread_rwlock_wrlock(address as *mut _) }).join().expect("it ends");
    waited(20, || how(lock))
}

fn timer(flags: c_int) -> String {
    waited(20, || {
        // SAFETY: the arguments are valid.
        unsafe {
            let timer = libc::timerfd_create(libc::CLOCK_MONOTONIC, 0);
            let value = if flags == 0 { length() } else { soon(libc::CLOCK_MONOTONIC) };
            let zero = timespec { tv_sec: 0, tv_nsec: 0 };
            let setting = libc::itimerspec { it_interval: zero, it_value: value };
            libc::timerfd_settime(timer, flags, &setting, std::ptr::null_mut());
            let mut count = 0_u64;
            let read = libc::read(timer, (&raw mut count).cast(), 8);
            libc::close(timer);
            (read, count)
        }
    })
}

fn signal() -> String {
    waited(20, || {
        // SAFETY: the arguments are valid.
        unsafe {
            let mut set = MaybeUninit::uninit();
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR1);
            (libc::sigtimedwait(set.as_ptr(), std::ptr::null_mut(), &length()), errno())
        }
    })
}

/// Sets an alarm of the operating system, and looks whether the signal came after some virtual time.
fn alarm() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static CAME: AtomicU32 = AtomicU32::new(0);
    extern "C" fn note(_: c_int) {
        CAME.fetch_add(1, Ordering::SeqCst);
    }
    // SAFETY: the handler only counts.
    unsafe {
        libc::signal(libc::SIGALRM, note as *const () as usize);
        let time = |tv_usec| libc::timeval { tv_sec: 0, tv_usec };
        let setting = [time(0), time(10_000)];
        libc::syscall(libc::SYS_setitimer, libc::ITIMER_REAL, setting.as_ptr(), 0);
    }
    thread::sleep(MS);
    format!("{} signals", CAME.load(Ordering::SeqCst))
}

fn absolute(clock: c_int) -> String {
    waited(20, || {
        let until = soon(clock);
        // SAFETY: the time is readable.
        unsafe { libc::clock_nanosleep(clock, libc::TIMER_ABSTIME, &until, std::ptr::null_mut()) }
    })
}

fn select(precise: bool) -> String {
    waited(20, || {
        let null = std::ptr::null_mut;
        // SAFETY: null pointers are allowed.
        unsafe {
            if precise {
                libc::pselect(0, null(), null(), null(), &length(), std::ptr::null())
            } else {
                let mut time = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
                libc::select(0, null(), null(), null(), &raw mut time)
            }
        }
    })
}

fn select_pipe() -> String {
    waited(20, || {
        // SAFETY: the set is as large as the kernel expects; a number beyond it is not put into it.
        unsafe {
            let mut ends = [0; 2];
            libc::pipe(ends.as_mut_ptr());
            if ends[0] >= 1_024 {
                let mut polled = libc::pollfd { fd: ends[0], events: libc::POLLIN, revents: 0 };
                return libc::poll(&raw mut polled, 1, 20);
            }
            let mut set: libc::fd_set = std::mem::zeroed();
            libc::FD_SET(ends[0], &raw mut set);
            let mut time = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
            libc::select(ends[0] + 1, &raw mut set, std::ptr::null_mut(), std::ptr::null_mut(), &raw mut time)
        }
    })
}

/// The probes of this kind.
pub const PROBES: &[Probe] = &[
    Probe::thread("waits::thread_sleep", "`thread::sleep`", || waited(20, || thread::sleep(MS))),
    Probe::now("waits::sleep_in_task", "`thread::sleep` on the runtime's thread", || waited(20, || thread::sleep(MS))),
    Probe::thread("waits::park_timeout", "`thread::park_timeout`", || waited(20, || thread::park_timeout(MS))),
    Probe::thread("waits::recv_timeout", "`Receiver::recv_timeout`", || {
        let (_sender, receiver) = mpsc::channel::<u8>();
        waited(20, || receiver.recv_timeout(MS))
    }),
    Probe::thread("waits::condvar", "`Condvar::wait_timeout`", || {
        let (lock, condition) = (Mutex::new(()), Condvar::new());
        waited(20, || condition.wait_timeout(lock.lock().expect("no panic"), MS).expect("no panic").1)
    }),
    Probe::thread("waits::yields", "`thread::yield_now` until 20 ms have passed", || {
        let end = Instant::now() + MS;
        waited(20, || {
            while Instant::now() < end {
                thread::yield_now();
            }
        })
    }),
    // SAFETY: the time is readable.
    Probe::thread("waits::nanosleep", "`nanosleep`", || {
        waited(20, || unsafe { libc::nanosleep(&length(), std::ptr::null_mut()) })
    }),
    Probe::thread("waits::clock_nanosleep", "`clock_nanosleep`", || {
        // SAFETY: the time is readable.
        waited(20, || unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &length(), std::ptr::null_mut()) })
    }),
    Probe::thread("waits::until_monotonic", "`clock_nanosleep` until a monotonic time", || {
        absolute(libc::CLOCK_MONOTONIC)
    }),
    Probe::thread("waits::until_realtime", "`clock_nanosleep` until a time of the wall clock", || {
        absolute(libc::CLOCK_REALTIME)
    }),
    Probe::thread("waits::until_boottime", "`clock_nanosleep` until a time since boot", || {
        absolute(libc::CLOCK_BOOTTIME)
    }),
    // SAFETY: these have no pointers.
    Probe::thread("waits::usleep", "`usleep`", || waited(20, || unsafe { libc::usleep(20_000) })),
    Probe::thread("waits::sleep", "`sleep`", || waited(1_000, || unsafe { sleep(1) })),
    Probe::thread("waits::select", "`select` without descriptors", || select(false)),
    Probe::thread("waits::pselect", "`pselect` without descriptors", || select(true)),
    Probe::thread("waits::select_pipe", "`select` on an empty pipe", select_pipe),
    // SAFETY: no descriptors are read.
    Probe::thread("waits::poll", "`poll` without descriptors", || {
        waited(20, || unsafe { libc::poll(std::ptr::null_mut(), 0, 20) })
    }),
    Probe::thread("waits::ppoll", "`ppoll` without descriptors", || {
        // SAFETY: no descriptors are read.
        waited(20, || unsafe { libc::ppoll(std::ptr::null_mut(), 0, &length(), std::ptr::null()) })
    }),
    Probe::now("waits::poll_in_task", "`poll` without descriptors on the runtime's thread", || {
        // SAFETY: no descriptors are read.
        waited(20, || unsafe { libc::poll(std::ptr::null_mut(), 0, 20) })
    }),
    Probe::thread("waits::epoll", "`epoll_wait` on nothing", || {
        // SAFETY: the event is writable.
        waited(20, || unsafe {
            let epoll = libc::epoll_create1(0);
            let mut event = libc::epoll_event { events: 0, u64: 0 };
            libc::epoll_wait(epoll, &raw mut event, 1, 20)
        })
    }),
    Probe::thread("waits::epoll_pwait2", "`epoll_pwait2` on nothing", || {
        // SAFETY: the event is writable.
        waited(20, || unsafe {
            let epoll = libc::epoll_create1(0);
            let mut event = libc::epoll_event { events: 0, u64: 0 };
            epoll_pwait2(epoll, &raw mut event, 1, &length(), std::ptr::null())
        })
    }),
    Probe::thread("waits::timerfd", "a timerfd that is read", || timer(0)),
    Probe::thread("waits::timerfd_absolute", "a timerfd with an absolute time", || timer(libc::TFD_TIMER_ABSTIME)),
    Probe::thread("waits::sem_timedwait", "`sem_timedwait`", || semaphore(false)),
    Probe::thread("waits::sem_clockwait", "`sem_clockwait`", || semaphore(true)),
    Probe::thread("waits::cond_timedwait", "`pthread_cond_timedwait`", || condition(false)),
    Probe::thread("waits::cond_clockwait", "`pthread_cond_clockwait`", || condition(true)),
    Probe::now("waits::cond_in_task", "`pthread_cond_timedwait` on the runtime's thread", || condition(false)),
    Probe::thread("waits::mutex_timedlock", "`pthread_mutex_timedlock`", || {
        // SAFETY: the lock is initialised.
        locked(|mutex| unsafe { libc::pthread_mutex_timedlock(mutex, &soon(libc::CLOCK_REALTIME)) })
    }),
    Probe::thread("waits::mutex_clocklock", "`pthread_mutex_clocklock`", || {
        // SAFETY: the lock is initialised.
        locked(|mutex| unsafe { pthread_mutex_clocklock(mutex, libc::CLOCK_MONOTONIC, &soon(libc::CLOCK_MONOTONIC)) })
    }),
    Probe::thread("waits::rwlock_timedrdlock", "`pthread_rwlock_timedrdlock`", || {
        // SAFETY: the lock is initialised.
        read_locked(|lock| unsafe { pthread_rwlock_timedrdlock(lock, &soon(libc::CLOCK_REALTIME)) })
    }),
    Probe::thread("waits::rwlock_timedwrlock", "`pthread_rwlock_timedwrlock`", || {
        // SAFETY: the lock is initialised.
        read_locked(|lock| unsafe { pthread_rwlock_timedwrlock(lock, &soon(libc::CLOCK_REALTIME)) })
    }),
    Probe::thread("waits::sigtimedwait", "`sigtimedwait`", signal),
    Probe::thread("waits::alarm", "`setitimer` and its signal", alarm),
];
