//! Squall.

pub mod case_file;
pub mod check;
pub mod cli;
pub mod disk;
pub mod explore;
pub mod fault;
pub mod gate;
pub mod history;
pub mod host;
pub mod net;
pub mod report;
pub mod run;
pub mod case_file;
pub mod explore;
pub mod report;
pub mod cli;

pub use cli::main;

pub use cli::main;
pub mod sandbox;
pub mod scenario;
pub mod seed;
pub mod trace;
mod world;

/// What a scenario needs.
pub mod prelude {
    pub use crate::check::{Check, Verdict};
    pub use crate::fault::{self, all, majority, micros, millis, minority, one, secs};
    pub use crate::history::{History, Recorder};
    pub use crate::host::HostContext;
    pub use crate::scenario::Scenario;
    pub use crate::seed::Seed;
    pub use crate::trace::{Mark, Trace};
}
