//! Determinism of one run: the C library's answers while a thread simulates, and a pristine process for every run.
//! Of Squall's other modules, this one uses only `seed`; to it, a run is bytes in, bytes out.
//!
//! The two halves can be used separately:
//!
//! - **The simulated view** ([`enter`] to [`leave`]): the binary defines symbols of the C library itself. They answer
//!   from thread-local state while this thread simulates, and pass through otherwise. Clocks follow the tokio runtime
//!   of the calling host, entropy is keyed by the seed, and what cannot be simulated is recorded in [`Notes`].
//! - **Processes** ([`Worker`]): a zygote is this executable, started once with a constant environment; it forks one
//!   child for every job, so that no run can see what an earlier one left behind. Where forking is impossible, each job
//!   runs on a fresh thread (see [`Worker::is_forked`]).
//!
//! A zygote also replaces the kernel's code for clocks (the vDSO), lets reads of the time stamp counter fault so that they
//! are answered, and traps system calls that the executable makes without the C library (rustix), which are answered like
//! those that it makes with it, or recorded.
//!
//! Known gaps: raw calls of shared libraries; what the C library asks the kernel by itself where there is no symbol to
//! override; a program that replaces the panic hook. [`watch_system_calls`] names the first two, at the cost of a signal for
//! each: use it to examine a run that does not repeat. Even then, these remain unseen: instructions such as `rdrand` and
//! `cpuid`; and on aarch64 also clocks read through the vDSO and threads made by raw system calls.

#![allow(unsafe_code)]
// Without hooks, nothing calls the code that computes a simulation's answers.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

// These targets can override symbols of the C library and fork processes.
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[path = "linux/mod.rs"]
mod platform;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "portable.rs"]
mod platform;

mod clock;
mod debugger;
mod descriptors;
mod entering;
mod escapes;
mod freeze;
mod interrupt;
mod job;
mod jump;
mod ledger;
mod notes;
mod recorded;
mod resting;
mod simulated;
#[cfg(test)]
mod tests;
mod thread;
mod worker;

pub use clock::WallError;
pub use debugger::trap_if_debugged;
pub(crate) use descriptors::{Address, Descriptors, Errno, FIRST_DESCRIPTOR, Interest, TimerSetting};
pub use entering::{enter, enter_host};
pub(crate) use entering::{enter_jumping_host, serve_descriptors};
pub use freeze::{CAN_FREEZE, Freeze};
pub(crate) use interrupt::{INTERRUPTED, is_interrupted, note_interrupts};
pub(crate) use job::WIRE_LOG_BYTES;
pub use job::{End, EntryPoint, Finished, Handler, ProcessLimits};
pub(crate) use jump::{as_host, build_runtime, note_livelock, note_woken, take_woken, time_of, until_rest, use_jumps};
pub(crate) use ledger::Ledger;
pub use notes::{BLOCKS_FROM, Escape, EscapeKind, Notes, PanicNote};
pub use recorded::last_escapes;
pub(crate) use resting::{Parking, Rest};
pub use simulated::{
    Settings, current_host, end_lives, is_dead, is_simulating, is_simulating_thread, leave, now, set_dead,
    set_outside_host, set_step, set_wall_error, set_wall_offset, take_wrong_reads,
};
pub(crate) use simulated::{last_panic, leave_with, next_wake_of_threads, note_change_of_descriptors, on_seeded_stack};
pub use worker::{Worker, addresses_are_fixed, current_test_name, is_zygote, serve_if_zygote, watch_system_calls};
