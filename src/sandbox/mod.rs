//! Determinism of one run: what the C library answers while a thread simulates, and a pristine process for every run.
//! It knows nothing of turmoil, faults or scenarios; a run is bytes in, bytes out.
//!
//! Two halves that can be used apart:
//!
//! - **The simulated view** ([`enter`] to [`leave`]): symbols of the C library that are defined in the binary answer
//!   from thread-local state while this thread simulates, and pass through otherwise. Clocks follow the tokio runtime
//!   of the asking host, entropy is keyed by the seed, and what cannot be simulated is recorded in [`Notes`].
//! - **Processes** ([`Worker`]): a zygote is this executable, started once with a constant environment; it forks one
//!   child for every job, so that no run can see what an earlier one left behind. Where that is impossible, each job
//!   runs on a fresh thread ([`Worker::is_forked`] tells).
//!
//! Stated gaps: code that reads the time stamp counter (quanta) or makes system calls without the C library (rustix,
//! the Go runtime) is not seen; neither is `fopen` or the age of a file, nor a program that replaces the panic hook.
//! [`watch_system_calls`] closes the first two and names what came through, at the price of a signal for each call: it
//! is for a closer look at a run that cannot be repeated. On aarch64, clocks read through the vDSO and threads made by
//! raw system calls remain unseen even then; everywhere, the coarse clocks of the vDSO do, instructions such as
//! `rdrand` and `cpuid`, and all that other threads do but for having been started.

#![allow(unsafe_code)]
// Without hooks there is nobody who asks for what a simulation would answer.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

// Here symbols of the C library can be defined anew, and processes forked.
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
mod entering;
mod escapes;
mod job;
mod ledger;
mod notes;
mod recorded;
mod simulated;
#[cfg(test)]
mod tests;
mod thread;
mod worker;

pub use clock::WallError;
pub use debugger::trap_if_debugged;
pub use entering::{enter, enter_host};
pub use job::{End, EntryPoint, Finished, Handler, ProcessLimits};
pub(crate) use ledger::Ledger;
pub use notes::{Escape, EscapeKind, Notes, PanicNote};
pub use recorded::last_escapes;
pub use simulated::{
    Settings, current_host, is_dead, is_simulating, leave, now, set_dead, set_outside_host, set_step, set_wall_error,
    set_wall_offset, take_wrong_reads,
};
pub use worker::{Worker, addresses_are_fixed, current_test_name, is_zygote, serve_if_zygote, watch_system_calls};
