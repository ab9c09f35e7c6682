//! The options of an exploration.

use std::path::PathBuf;
use std::time::Duration;

use super::seeds::SeedRange;

/// Which runs are repeated and compared. A failing run is always repeated, and so is one that left the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Only those.
    Failing,
    /// Also the first seed of each scenario.
    First,
    /// All runs.
    All,
}

/// The options of an exploration.
#[derive(Clone, Debug)]
pub struct ExploreOptions {
    /// The seeds, in order.
    pub seeds: SeedRange,
    /// No run is started after this time.
    pub within: Option<Duration>,
    /// Whether to continue after a seed that fails.
    pub keep_going: bool,
    /// Which runs are repeated.
    pub verify: Verify,
    /// The number of first seeds for which a run without faults must pass as well.
    pub controls: u64,
    /// The directory in which failing cases are saved; `None` for cargo's target directory.
    pub case_directory: Option<PathBuf>,
    /// How long to shrink the first failure; zero turns shrinking off.
    pub shrink_for: Duration,
    /// The largest number of runs that shrinking may make.
    pub shrink_runs: u64,
    /// How long to spend on explaining the first failure; zero turns the explanation off.
    pub explain_for: Duration,
    /// Whether to keep what an overview shows: a line of each run, and how long operations and exchanges took.
    pub has_overview: bool,
}

/// The default time to shrink a failure. It is a ceiling for slow scenarios: usually nothing is left to try much sooner, or
/// the limit of runs is met.
pub const SHRINK_FOR: Duration = Duration::from_secs(60);
/// The default limit of runs that shrink a failure.
pub const SHRINK_RUNS: u64 = 2_000;
/// The default time to explain a failure.
pub const EXPLAIN_FOR: Duration = Duration::from_secs(5);

impl ExploreOptions {
    /// Options that explore these seeds with one control and stop at the first seed that fails.
    pub fn new(seeds: SeedRange) -> ExploreOptions {
        ExploreOptions {
            seeds,
            within: None,
            keep_going: false,
            verify: Verify::Failing,
            controls: 1,
            case_directory: None,
            shrink_for: SHRINK_FOR,
            shrink_runs: SHRINK_RUNS,
            explain_for: EXPLAIN_FOR,
            has_overview: false,
        }
    }
}
