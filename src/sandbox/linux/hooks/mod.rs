//! Hooks: symbols of the C library that are defined here. While a thread simulates they answer from its simulation;
//! otherwise they pass through. They run at any time in the process, even before `main` and while the caller holds
//! locks, so a call that passes through first only reads a thread-local pointer.

mod clocks;
mod descriptors;
mod entropy;
mod facts;
mod files;
mod hook;
mod locks;
mod machine;
mod numbers;
mod processes;
mod waits;

use std::ffi::c_void;

use hook::Hook;

pub(super) use clocks::shown as shown_clock;
pub(super) use files::is_allowed_file;
pub(super) use numbers::{answer as answer_call, answered as answered_calls};

/// The addresses of all hooks. The reference makes the linker take the object files that define them; without it, the
/// linker might find the C library's definitions first.
struct Hooks([*const c_void; 33]);

// SAFETY: the pointers are addresses of functions, which are never written.
unsafe impl Sync for Hooks {}

static HOOKS: Hooks = Hooks([
    clocks::clock_gettime as *const c_void,
    clocks::gettimeofday as *const c_void,
    clocks::time as *const c_void,
    entropy::getrandom as *const c_void,
    entropy::getentropy as *const c_void,
    machine::pthread_create as *const c_void,
    machine::pthread_join as *const c_void,
    machine::fork as *const c_void,
    machine::posix_spawn as *const c_void,
    machine::posix_spawnp as *const c_void,
    machine::sched_getaffinity as *const c_void,
    machine::getpid as *const c_void,
    machine::gettid as *const c_void,
    machine::gethostname as *const c_void,
    machine::exit as *const c_void,
    waits::nanosleep as *const c_void,
    waits::clock_nanosleep as *const c_void,
    waits::usleep as *const c_void,
    waits::sched_yield as *const c_void,
    locks::pthread_mutex_lock as *const c_void,
    locks::pthread_mutex_timedlock as *const c_void,
    locks::pthread_mutex_unlock as *const c_void,
    locks::pthread_rwlock_rdlock as *const c_void,
    locks::pthread_rwlock_wrlock as *const c_void,
    locks::pthread_rwlock_unlock as *const c_void,
    locks::pthread_cond_wait as *const c_void,
    locks::pthread_cond_timedwait as *const c_void,
    locks::pthread_cond_clockwait as *const c_void,
    locks::pthread_cond_signal as *const c_void,
    locks::pthread_cond_broadcast as *const c_void,
    locks::sem_wait as *const c_void,
    locks::sem_timedwait as *const c_void,
    locks::sem_post as *const c_void,
]);

/// Refers to every hook, so that any binary that simulates contains them.
pub(in crate::sandbox) fn keep_linked() {
    std::hint::black_box(&HOOKS.0);
    std::hint::black_box(&descriptors::HOOKS.0);
    let lists: [&[Hook]; 12] = [
        &clocks::accounts::HOOKS,
        &entropy::arc4random::HOOKS,
        &facts::HOOKS,
        &facts::system::HOOKS,
        &files::HOOKS,
        &files::paths::HOOKS,
        &files::streams::HOOKS,
        &files::temporary::HOOKS,
        &locks::by_clock::HOOKS,
        &numbers::HOOKS,
        &processes::HOOKS,
        &waits::timeouts::HOOKS,
    ];
    for hook in lists.into_iter().flatten() {
        std::hint::black_box(hook.0);
    }
}

/// Looks up the definitions that hooks pass through to.
pub(super) fn look_up() {
    facts::system::look_up();
    machine::look_up();
    locks::look_up();
    descriptors::look_up();
}
