//! System calls by number: the C library's `syscall`, and calls that are made without the C library and trapped. Each is
//! answered as the function of the C library that makes the same call.

use std::ffi::c_void;

use libc::{c_int, c_long};

use super::super::raw::{returned, set_errno, system_call};
use super::descriptors::by_number as descriptors;
use super::hook::{Answer, Hook};
use super::{clocks, entropy, facts, files, machine, waits};
use crate::sandbox::simulated::simulation;

/// The hooks of this file.
pub(super) static HOOKS: [Hook; 1] = [Hook(syscall as *const _)];

/// The function that makes the same call with the same arguments.
fn same(number: c_long) -> Option<Answer> {
    use Answer::{Int, Long};
    Some(match number {
        libc::SYS_getrandom => Long(entropy::getrandom as *const _),
        libc::SYS_getpid => Int(machine::getpid as *const _),
        libc::SYS_gettid => Int(machine::gettid as *const _),
        libc::SYS_getppid => Int(facts::getppid as *const _),
        libc::SYS_getpgid => Int(facts::getpgid as *const _),
        libc::SYS_getsid => Int(facts::getsid as *const _),
        libc::SYS_uname => Int(facts::uname as *const _),
        libc::SYS_getcpu => Int(facts::getcpu as *const _),
        libc::SYS_sysinfo => Int(facts::system::sysinfo as *const _),
        libc::SYS_prlimit64 => Int(facts::system::prlimit as *const _),
        libc::SYS_getrlimit => Int(facts::system::getrlimit as *const _),
        libc::SYS_statfs => Int(facts::system::statfs64 as *const _),
        libc::SYS_fstatfs => Int(facts::system::fstatfs64 as *const _),
        libc::SYS_sched_getscheduler => Int(facts::system::sched_getscheduler as *const _),
        libc::SYS_sched_yield => Int(waits::sched_yield as *const _),
        libc::SYS_times => Long(clocks::accounts::times as *const _),
        libc::SYS_getrusage => Int(clocks::accounts::getrusage as *const _),
        libc::SYS_clock_gettime => Int(clocks::clock_gettime as *const _),
        libc::SYS_clock_getres => Int(clocks::accounts::clock_getres as *const _),
        libc::SYS_gettimeofday => Int(clocks::gettimeofday as *const _),
        libc::SYS_nanosleep => Int(waits::nanosleep as *const _),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_getpgrp => Int(facts::getpgrp as *const _),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_time => Long(clocks::time as *const _),
        libc::SYS_openat => Int(files::openat as *const _),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open => Int(files::open as *const _),
        libc::SYS_readlinkat => Long(files::paths::readlinkat as *const _),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_readlink => Long(files::paths::readlink as *const _),
        libc::SYS_statx => Int(files::paths::simulated_statx as *const _),
        libc::SYS_newfstatat => Int(files::paths::fstatat as *const _),
        libc::SYS_setitimer => Int(waits::timeouts::setitimer as *const _),
        _ => return descriptors(number),
    })
}

/// Every number that is answered, in the order of the kernel's table.
pub(in crate::sandbox::platform) fn answered() -> impl Iterator<Item = c_long> {
    const LAST: c_long = 512;
    let apart = [libc::SYS_futex, libc::SYS_clock_nanosleep, libc::SYS_sched_getaffinity, libc::SYS_getpriority];
    (0..LAST).filter(move |number| apart.contains(number) || same(*number).is_some())
}

/// Answers a system call that code under test makes, in the C library's convention. `None` for one that passes through.
///
/// # Safety
/// The arguments must be valid for the call.
pub(in crate::sandbox::platform) unsafe fn answer(number: c_long, arguments: [usize; 6]) -> Option<c_long> {
    let simulation = simulation()?;
    if simulation.clocks.is_quiet() && number != libc::SYS_getrandom {
        return None;
    }
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the caller vouches for the arguments.
    match number {
        libc::SYS_futex => return unsafe { waits::futex(arguments) },
        // This function returns its error.
        libc::SYS_clock_nanosleep => {
            return Some(match unsafe { waits::clock_nanosleep(a as c_int, b as c_int, c as *const _, d as *mut _) } {
                0 => 0,
                error => {
                    set_errno(error);
                    -1
                }
            });
        }
        // The kernel returns how many bytes it has written.
        libc::SYS_sched_getaffinity => {
            let written = size_of::<c_long>().min(b);
            return Some(
                unsafe { machine::sched_getaffinity(a as c_int, written, c as *mut _) } as c_long + written as c_long,
            );
        }
        // The kernel's answers are not negative.
        libc::SYS_getpriority => return Some(20),
        _ => {}
    }
    type Call = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize) -> isize;
    let (function, is_int) = match same(number)? {
        Answer::Int(function) => (function, true),
        Answer::Long(function) => (function, false),
    };
    // SAFETY: on these architectures a function finds its arguments in the same registers, whatever their types, and does
    // not read more than it has.
    let result = unsafe { std::mem::transmute::<*const c_void, Call>(function)(a, b, c, d, e, f) };
    Some(if is_int { c_long::from(result as c_int) } else { result as c_long })
}

/// The C library's function is variadic. On these architectures, arguments arrive as if there were always six, and the
/// kernel does not read those that the caller did not pass.
///
/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let arguments = [a, b, c, d, e, f];
    // SAFETY: the caller vouches for the arguments.
    unsafe {
        // A zygote's entropy is constant, too.
        if number == libc::SYS_getrandom && entropy::fill(a as *mut _, b) {
            return b as c_long;
        }
        answer(number, arguments).unwrap_or_else(|| returned(system_call(number, arguments)))
    }
}
