//! Symbols of the C library, defined here. While this thread simulates they answer from its simulation; otherwise they
//! pass through. They run at any moment of the process, also before `main` and under other people's locks, so what
//! passes through does nothing but read a thread-local pointer.

mod clocks;
mod entropy;
mod files;
mod machine;
mod waits;

use std::ffi::c_void;

pub(super) use files::is_allowed_file;

/// Every hook, so that the linker takes the object files that hold them: nothing else in a binary may refer to them
/// before the C library's own definitions are found.
struct Hooks([*const c_void; 24]);

// SAFETY: these are addresses of functions.
unsafe impl Sync for Hooks {}

static HOOKS: Hooks = Hooks([
    clocks::clock_gettime as *const c_void,
    clocks::gettimeofday as *const c_void,
    clocks::time as *const c_void,
    entropy::getrandom as *const c_void,
    entropy::getentropy as *const c_void,
    files::open as *const c_void,
    files::open64 as *const c_void,
    files::openat as *const c_void,
    files::openat64 as *const c_void,
    files::socket as *const c_void,
    machine::pthread_create as *const c_void,
    machine::fork as *const c_void,
    machine::posix_spawn as *const c_void,
    machine::posix_spawnp as *const c_void,
    machine::sched_getaffinity as *const c_void,
    machine::sysconf as *const c_void,
    machine::getpid as *const c_void,
    machine::gettid as *const c_void,
    machine::gethostname as *const c_void,
    machine::exit as *const c_void,
    waits::syscall as *const c_void,
    waits::nanosleep as *const c_void,
    waits::clock_nanosleep as *const c_void,
    waits::usleep as *const c_void,
]);

/// Makes sure that the hooks are part of any binary that simulates, by referring to each.
pub(in crate::sandbox) fn keep_linked() {
    std::hint::black_box(&HOOKS.0);
}

/// Looks up what hooks pass through to.
pub(super) fn look_up() {
    machine::look_up();
}
