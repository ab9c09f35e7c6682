//! Clocks, by every way to read one.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use libc::{clockid_t, timespec};

use crate::probe::{Probe, WRONG};

/// What a clock shows, in nanoseconds.
fn read(clock: clockid_t) -> String {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is writable.
    let result = unsafe { libc::clock_gettime(clock, &raw mut now) };
    format!("{result} {}.{:09}", now.tv_sec, now.tv_nsec)
}

unsafe extern "C" {
    fn timespec_get(now: *mut timespec, base: i32) -> i32;
    fn ftime(now: *mut [u64; 4]) -> i32;
    fn clock() -> libc::clock_t;
    fn ntp_gettime(now: *mut [i64; 16]) -> i32;
}

fn usage() -> String {
    // SAFETY: all zeros is a valid value, and the struct is writable.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let result = libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        let times = [usage.ru_utime, usage.ru_stime].map(|time| (time.tv_sec, time.tv_usec));
        format!("{result} {times:?} {} {} {} {}", usage.ru_maxrss, usage.ru_minflt, usage.ru_nvcsw, usage.ru_nivcsw)
    }
}

fn times() -> String {
    // SAFETY: the struct is writable.
    unsafe {
        let mut times: libc::tms = std::mem::zeroed();
        let now = libc::times(&raw mut times);
        format!("{now} {} {} {}", times.tms_utime, times.tms_stime, times.tms_cutime)
    }
}

/// Waits in a loop until a clock has moved by so many microseconds.
fn spin(micros: u128) -> String {
    let start = Instant::now();
    let mut looks = 0_u64;
    while start.elapsed().as_micros() < micros {
        looks += 1;
        std::hint::spin_loop();
    }
    format!("{looks} looks")
}

#[cfg(target_arch = "x86_64")]
fn counter() -> String {
    let mut processor = 0;
    // SAFETY: every x86-64 processor that this runs on has these instructions.
    let counters = unsafe { [core::arch::x86_64::_rdtsc(), core::arch::x86_64::__rdtscp(&mut processor)] };
    format!("{counters:?}")
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> String {
    String::new()
}

fn local_time() -> String {
    // SAFETY: the pointers are to local variables.
    unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut parts: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const now, &raw mut parts);
        format!("{now} {} {} {} {}", parts.tm_year, parts.tm_yday, parts.tm_hour, parts.tm_gmtoff)
    }
}

/// The probes of this kind.
pub const PROBES: &[Probe] = &[
    Probe::now("clocks::instant", "`Instant::now`", || format!("{:?}", Instant::now())),
    Probe::now("clocks::system_time", "`SystemTime::now`", || {
        format!("{:?}", SystemTime::now().duration_since(UNIX_EPOCH))
    }),
    Probe::task("clocks::tokio", "`tokio::time::Instant`", || {
        Box::pin(async {
            let start = tokio::time::Instant::now();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            format!("{:?}", start.elapsed())
        })
    }),
    Probe::now("clocks::monotonic", "`CLOCK_MONOTONIC`", || read(libc::CLOCK_MONOTONIC)),
    Probe::now("clocks::monotonic_raw", "`CLOCK_MONOTONIC_RAW`", || read(libc::CLOCK_MONOTONIC_RAW)),
    Probe::now("clocks::monotonic_coarse", "`CLOCK_MONOTONIC_COARSE`", || read(libc::CLOCK_MONOTONIC_COARSE)),
    Probe::now("clocks::realtime", "`CLOCK_REALTIME`", || read(libc::CLOCK_REALTIME)),
    Probe::now("clocks::realtime_coarse", "`CLOCK_REALTIME_COARSE`", || read(libc::CLOCK_REALTIME_COARSE)),
    Probe::now("clocks::boottime", "`CLOCK_BOOTTIME`", || read(libc::CLOCK_BOOTTIME)),
    Probe::now("clocks::tai", "`CLOCK_TAI`", || read(libc::CLOCK_TAI)),
    Probe::now("clocks::realtime_alarm", "`CLOCK_REALTIME_ALARM`", || read(libc::CLOCK_REALTIME_ALARM)),
    Probe::now("clocks::boottime_alarm", "`CLOCK_BOOTTIME_ALARM`", || read(libc::CLOCK_BOOTTIME_ALARM)),
    Probe::now("clocks::process_cpu", "`CLOCK_PROCESS_CPUTIME_ID`", || read(libc::CLOCK_PROCESS_CPUTIME_ID)),
    Probe::now("clocks::thread_cpu", "`CLOCK_THREAD_CPUTIME_ID`", || read(libc::CLOCK_THREAD_CPUTIME_ID)),
    Probe::now("clocks::pthread_cpu", "the clock of `pthread_getcpuclockid`", || {
        let mut clock = 0;
        // SAFETY: the thread is this one.
        let result = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        format!("{result} {}", read(clock))
    }),
    Probe::now("clocks::unknown", "a clock that does not exist", || format!("{} {}", read(99), crate::probe::errno())),
    Probe::now("clocks::resolution", "`clock_getres`", || {
        let mut length = timespec { tv_sec: 0, tv_nsec: 0 };
        let coarse = libc::CLOCK_MONOTONIC_COARSE;
        // SAFETY: the time is writable.
        let result = unsafe { libc::clock_getres(coarse, &raw mut length) };
        format!("{result} {} {}", length.tv_sec, length.tv_nsec)
    }),
    Probe::now("clocks::gettimeofday", "`gettimeofday`", || {
        let mut now = libc::timeval { tv_sec: 0, tv_usec: 0 };
        // SAFETY: the time is writable.
        let result = unsafe { libc::gettimeofday(&raw mut now, std::ptr::null_mut()) };
        format!("{result} {} {}", now.tv_sec, now.tv_usec)
    }),
    // SAFETY: a null pointer is allowed.
    Probe::now("clocks::time", "`time`", || format!("{}", unsafe { libc::time(std::ptr::null_mut()) })),
    Probe::now("clocks::ftime", "`ftime`", || {
        let mut now = [0; 4];
        // SAFETY: the struct is smaller than this.
        let result = unsafe { ftime(&raw mut now) };
        format!("{result} {} {}", now[0], now[1] & 0xffff)
    }),
    Probe::now("clocks::timespec_get", "`timespec_get`", || {
        let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is writable; 1 is `TIME_UTC`.
        let result = unsafe { timespec_get(&raw mut now, 1) };
        format!("{result} {} {}", now.tv_sec, now.tv_nsec)
    }),
    Probe::now("clocks::times", "`times`", times),
    // SAFETY: the function has no arguments.
    Probe::now("clocks::clock", "`clock`", || format!("{}", unsafe { clock() })),
    Probe::now("clocks::getrusage", "`getrusage`", usage),
    Probe::now("clocks::ntp", "`ntp_gettime`", || {
        let mut now = [0; 16];
        // SAFETY: the struct is smaller than this.
        let result = unsafe { ntp_gettime(&raw mut now) };
        format!("{result} {} {}", now[0], now[1])
    }),
    Probe::now("clocks::local_time", "`localtime_r`", local_time),
    Probe::now("clocks::spin", "a spin of 20 us on a clock", || spin(20)),
    Probe::now("clocks::long_spin", "a spin of 2 ms on a clock", || spin(2_000)),
    Probe::thread("clocks::spin_on_thread", "a spin of 20 us on a clock, on a thread", || spin(20)),
    Probe::now("clocks::cpu_spin", "a spin of 1 ms on the clock of the process's processor time", || {
        let now = || {
            let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: the time is writable.
            unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut now) };
            now.tv_sec * 1_000_000_000 + now.tv_nsec
        };
        let (start, mut looks) = (now(), 0_u64);
        while now() - start < 1_000_000 {
            looks += 1;
        }
        format!("{looks} looks")
    }),
    Probe::now("clocks::counter", "`rdtsc` and `rdtscp`", counter),
    Probe::now("clocks::vdso", "the clocks of the vDSO, without the C library", || {
        let clocks = [rustix::time::ClockId::Monotonic, rustix::time::ClockId::Realtime];
        format!("{:?}", clocks.map(rustix::time::clock_gettime))
    }),
    Probe::now("clocks::vdso_coarse", "a coarse clock of the vDSO, without the C library", || {
        format!("{:?}", rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse))
    }),
    Probe::now("clocks::one_frame", "all clocks before and after a wait of 20 ms agree", || {
        let read = |clock| {
            let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: the time is writable.
            unsafe { libc::clock_gettime(clock, &raw mut now) };
            now.tv_sec * 1_000_000_000 + now.tv_nsec
        };
        let clocks = [libc::CLOCK_MONOTONIC, libc::CLOCK_REALTIME, libc::CLOCK_BOOTTIME, libc::CLOCK_MONOTONIC_RAW];
        let before = clocks.map(read);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let after = clocks.map(read);
        let passed: Vec<i64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
        let agree = passed.iter().all(|passed| *passed == passed.clone().max(20_000_000) && *passed < 21_000_000);
        if agree { "20 ms each".to_owned() } else { format!("{WRONG}: {passed:?}") }
    }),
];
