//! Makes many runs of a scenario: decides which seeds run, how many run at once and which are repeated, and sums up the
//! results.
//!
//! Results are taken in the order of the seeds, however many runs there are at once, so an exploration of the same
//! seeds has the same result for any number of workers.

mod breakpoint;
mod candidates;
mod coverage;
mod debug;
mod divergence;
mod doctor;
mod driver;
mod error;
mod examination;
mod explain;
mod exploration;
mod failure;
mod job;
mod latencies;
mod mistakes;
mod observer;
mod options;
mod pool;
mod promise;
mod recheck;
mod run_line;
mod run_result;
mod seeds;
mod serve;
mod shrink;
mod status;
mod sweep;
mod totals;
mod trace_file;

pub use candidates::{CandidateOutcome, Limit};
pub use coverage::{CheckCoverage, Coverage, Reached};
pub use debug::break_on;
pub use divergence::{Divergence, record_line};
pub use doctor::{Diagnosis, diagnose};
pub use driver::explore;
pub use error::Error;
pub use explain::{FaultWhy, Pair, Reach, Why, explain};
pub use exploration::Exploration;
pub use failure::{AsFound, Failure, Repeat, investigate, record_bytes, save, study};
pub use job::CaseRef;
pub use latencies::{Latencies, LatencyGroup, LatencyKind};
pub use mistakes::{Catch, Hunt, HuntOptions, HuntVerdict, MakePlan, Planted, hunt, is_caught_by};
pub use observer::Observer;
pub use options::{EXPLAIN_FOR, ExploreOptions, SHRINK_FOR, SHRINK_RUNS, Verify};
pub use pool::Pool;
pub use promise::Promise;
pub use recheck::recheck;
pub use run_line::RunLine;
pub use seeds::{SeedRange, SeedRangeError};
pub(crate) use serve::handler;
pub use shrink::{Bounds, ShrinkProgress, Shrunk, Size, shrink};
pub use status::Status;
pub use sweep::{Failing, Point, Row, Sweep, SweepError, SweepFault, SweepOptions, sweep};
pub use totals::Totals;
pub use trace_file::{TraceDivergence, event_lines, recorded_lines, trace_path};
