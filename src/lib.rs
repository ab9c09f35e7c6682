//! Squall runs real tokio and hyper code over a simulated network, injects seeded faults, and checks that
//! timeouts, retries, health checks and restarts keep their promises. A failing seed replays exactly.
//!
//! # A scenario
//!
//! A scenario consists of hosts, faults and checks. Programs take their network from a [`host::HostContext`]:
//!
//! ```
//! use squall::prelude::*;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! async fn serve(cx: HostContext) -> std::io::Result<()> {
//!     let listener = cx.listener(80);
//!     loop {
//!         let (mut stream, _) = listener.accept().await?;
//!         tokio::spawn(async move { stream.write_all(b"hello").await });
//!     }
//! }
//!
//! async fn ask(cx: HostContext) -> std::io::Result<()> {
//!     let operation = cx.recorder().invoke("greet", &());
//!     let mut greeting = String::new();
//!     cx.connector().connect("server", 80).await?.read_to_string(&mut greeting).await?;
//!     operation.ok(&greeting);
//!     Ok(())
//! }
//!
//! fn everybody_is_greeted(_: &Trace, history: &History) -> Verdict {
//!     match history.operations.iter().all(|operation| operation.is_ok()) {
//!         true => Verdict::Pass,
//!         false => Verdict::fail("somebody was not greeted"),
//!     }
//! }
//!
//! let scenario = Scenario::new("greeting")
//!     .host("server", serve)
//!     .host("client", ask)
//!     .fault(fault::partition("client", "server").once(secs(0)..secs(1)).lasting(secs(2)..secs(5)))
//!     .check(everybody_is_greeted)
//!     .run_for(secs(10))
//!     .settle_for(secs(10));
//!
//! # use squall::internal::run::{Detail, run};
//! # let outcome = run(&scenario, &scenario.case(Seed(1)), Detail::Lean).outcome;
//! # assert!(outcome.verdict.is_pass());
//! ```
//!
//! In a test, `scenario.assert_passes(0..16)` explores many seeds, each in a process of its own; [`main`] turns a table
//! of scenarios into a command line and a test harness.
//!
//! # Where to go next
//!
//! [`fault`] has the faults and their generators, [`check`] the checks, [`scenario`] the builder, [`net`] and [`disk`]
//! the interfaces that programs call, and [`trace`] and [`history`] the records that checks read.

mod alive;
mod case_file;
pub mod check;
mod cli;
#[cfg_attr(not(target_os = "linux"), path = "descriptors/portable.rs")]
mod descriptors;
pub mod disk;
mod explore;
pub mod fault;
pub mod history;
pub mod host;
pub mod net;
mod report;
mod run;
mod sandbox;
pub mod scenario;
mod seed;
pub mod trace;
mod trigger_point;
mod world;

pub use cli::{main, main_with_mistakes};

#[cfg(doctest)]
#[doc = include_str!("../docs/checks.md")]
struct GuideToChecks;

#[cfg(doctest)]
#[doc = include_str!("../docs/vocabulary.md")]
struct Vocabulary;

/// The names that most scenarios need.
pub mod prelude {
    pub use crate::check::{self, Verdict};
    pub use crate::fault::{self, all, majority, millis, minority, one, secs};
    pub use crate::history::History;
    pub use crate::host::HostContext;
    pub use crate::scenario::Scenario;
    pub use crate::seed::Seed;
    pub use crate::trace::{Event, Trace};
}

/// The parts of Squall that its own tests and benches call directly. This is not public API: it changes without notice.
#[doc(hidden)]
pub mod internal {
    /// Runs one case in this thread.
    pub mod run {
        pub use crate::run::*;
    }
    /// Explores seeds and examines failures.
    pub mod explore {
        pub use crate::explore::*;
    }
    /// Writes screens and timelines.
    pub mod report {
        pub use crate::report::*;
    }
    /// Makes a run the same every time.
    pub mod sandbox {
        pub use crate::sandbox::*;
    }
    /// Tells whether a process is alive.
    pub mod alive {
        pub use crate::alive::*;
    }
}
