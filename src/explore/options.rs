//! What to explore, and how.

use std::path::PathBuf;
use std::time::Duration;

use super::seeds::SeedRange;

/// Which runs are repeated and compared. A failing run is always repeated, and so is one that left the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// No others.
    Failing,
    /// The first seed of each scenario.
    First,
    /// All.
    All,
}

/// What to explore, and how.
#[derive(Clone, Debug)]
pub struct ExploreOptions {
    /// The seeds, in order.
    pub seeds: SeedRange,
    /// No run is started after this time.
    pub within: Option<Duration>,
    /// Whether to go on after a seed that fails.
    pub keep_going: bool,
    /// Which runs are repeated.
    pub verify: Verify,
    /// For how many of the first seeds a run without faults must pass, too.
    pub controls: u64,
    /// Where failing cases are saved; in cargo's target directory if not given.
    pub case_directory: Option<PathBuf>,
    /// How long the first failure may be made smaller; zero for not at all.
    pub shrink_for: Duration,
    /// How many runs may be made for that.
    pub shrink_runs: u64,
    /// How long it may take to find out why the first failure fails; zero for not at all.
    pub explain_for: Duration,
}

/// How long a failure is made smaller unless something else is said.
pub const SHRINK_FOR: Duration = Duration::from_secs(20);
/// How many runs a failure is made smaller with unless something else is said.
pub const SHRINK_RUNS: u64 = 5_000;
/// How long is spent on why a failure fails unless something else is said.
pub const EXPLAIN_FOR: Duration = Duration::from_secs(5);

impl ExploreOptions {
    /// These seeds, one control, and an end at the first seed that fails.
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
        }
    }
}
