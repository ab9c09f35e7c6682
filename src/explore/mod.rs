//! Many runs of a scenario: which seeds, how many at once, what is repeated, and what all of them say together. It knows
//! nothing of how results are shown.
//!
//! Results are taken in the order of the seeds, however many runs there are at once, so that an exploration of the same
//! seeds says the same whatever the number of workers.

mod breakpoint;
mod candidates;
mod coverage;
mod divergence;
mod doctor;
mod driver;
mod explain;
mod failure;
pub(crate) mod job;
mod pool;
mod promise;
mod recheck;
mod run_result;
mod seeds;
mod shrink;
mod sweep;
mod trace_file;

use std::path::PathBuf;
use std::time::Duration;

pub use breakpoint::break_on;
pub use candidates::CandidateOutcome;
pub use coverage::{Coverage, Reached};
pub use divergence::{Divergence, record_line};
pub use doctor::{Diagnosis, diagnose};
pub use driver::explore;
pub use explain::{FaultWhy, Pair, Reach, Why, explain};
pub use failure::{AsFound, Failure, Repeat, investigate, save, study};
pub use job::CaseRef;
pub use pool::Pool;
pub use promise::Promise;
pub use recheck::recheck;
pub use seeds::{SeedRange, SeedRangeError};
pub use shrink::{Bounds, ShrinkProgress, Shrunk, Size, shrink};
pub use sweep::{Failing, Point, Row, Sweep, SweepError, SweepFault, SweepOptions, sweep};
pub use trace_file::{TraceDivergence, event_lines, trace_path};

use crate::check::Verdict;
use crate::run::{GeneratorCounts, Outcome};

/// Below this number of planned faults, nothing is said about how many of them are effective.
const JUDGED_FROM: u64 = 30;

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

/// Why an exploration could not be carried out: no verdict on the code under test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process that runs cases cannot be started or died by itself.
    #[error("the process that runs cases failed: {0}")]
    Worker(std::io::Error),
    /// The process that runs cases does not do what it is asked.
    #[error("the process that runs cases gave no outcome: {0}")]
    Refused(String),
}

/// Is told what happens while an exploration lasts.
pub trait Observer {
    /// An exploration begins.
    fn begins(&mut self, scenario: &str, options: &ExploreOptions) {
        let _ = (scenario, options);
    }

    /// A run has been judged; runs come in the order of their seeds.
    fn judged(&mut self, outcome: &Outcome) {
        let _ = outcome;
    }

    /// A failure is being made smaller: so many runs have been made, and this is the size of what is left.
    fn shrinking(&mut self, runs: u64, size: Size) {
        let _ = (runs, size);
    }
}

/// An observer that does nothing.
impl Observer for () {}

/// What a whole exploration, or one run, came to; worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All promises were kept.
    Pass,
    /// Some runs do not say whether they were kept.
    Unknown,
    /// The same case gave different runs.
    NotDeterministic,
    /// A promise was broken.
    Fail,
}

impl Status {
    /// `pass`, `unknown`, `not deterministic` or `fail`.
    pub fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Unknown => "unknown",
            Status::NotDeterministic => "not deterministic",
            Status::Fail => "fail",
        }
    }

    /// The exit code: 0 for a pass, 1 for a failure, 3 for what is not known.
    pub fn exit_code(self) -> u8 {
        match self {
            Status::Pass => 0,
            Status::Fail => 1,
            Status::Unknown | Status::NotDeterministic => 3,
        }
    }
}

/// What the runs of one scenario said together.
#[derive(Debug)]
pub struct Exploration {
    /// The scenario's name.
    pub scenario: String,
    /// Where the scenario was declared, if that is known.
    pub declared_at: Option<&'static std::panic::Location<'static>>,
    /// The seeds that were asked for.
    pub seeds: SeedRange,
    /// How many of them were judged; controls are not counted.
    pub runs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them did not say whether the promises were kept.
    pub unknown: u64,
    /// The first of them: its seed, and why.
    pub first_unknown: Option<Outcome>,
    /// Runs that failed, or that were different when they were repeated.
    pub failures: Vec<Failure>,
    /// Planned and effective faults by generator, over all runs.
    pub generators: Vec<GeneratorCounts>,
    /// Which situations were reached, over all runs.
    pub coverage: Coverage,
    /// Things worth knowing that are no failures, one line each.
    pub notes: Vec<String>,
    /// The sum of the simulated time of all runs.
    pub simulated: Duration,
    /// How long the exploration took.
    pub wall: Duration,
}

impl Exploration {
    /// Generators whose faults hardly ever changed anything, one line each.
    pub fn idle_generators(&self) -> Vec<String> {
        let is_idle =
            |effects: &&GeneratorCounts| effects.planned >= JUDGED_FROM && effects.effective * 10 < effects.planned;
        let line = |effects: &GeneratorCounts| {
            format!(
                "fault generator `{}` was effective only {} of {} times",
                effects.generator, effects.effective, effects.planned
            )
        };
        self.generators.iter().filter(is_idle).map(line).collect()
    }

    /// What all runs came to.
    pub fn status(&self) -> Status {
        let worst = self.failures.iter().map(Failure::status).max().unwrap_or(Status::Pass);
        if !self.idle_generators().is_empty() || !self.coverage.missed(self.runs).is_empty() {
            return Status::Fail;
        }
        if self.unknown > 0 { worst.max(Status::Unknown) } else { worst }
    }

    pub(crate) fn of(scenario: &str, seeds: SeedRange) -> Exploration {
        Exploration {
            scenario: scenario.to_owned(),
            declared_at: None,
            seeds,
            runs: 0,
            failed: 0,
            unknown: 0,
            first_unknown: None,
            failures: Vec::new(),
            generators: Vec::new(),
            coverage: Coverage::default(),
            notes: Vec::new(),
            simulated: Duration::ZERO,
            wall: Duration::ZERO,
        }
    }

    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.simulated += outcome.simulated;
        self.coverage.add(&outcome.reached);
        match outcome.verdict {
            Verdict::Pass => {}
            Verdict::Unknown(_) => {
                self.unknown += 1;
                self.first_unknown.get_or_insert_with(|| outcome.clone());
            }
            Verdict::Fail(_) => self.failed += 1,
        }
        for effects in &outcome.generators {
            match self.generators.iter_mut().find(|known| known.generator == effects.generator) {
                Some(known) => {
                    known.planned += effects.planned;
                    known.effective += effects.effective;
                }
                None => self.generators.push(effects.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_that_is_hardly_effective_is_a_failure_once_there_are_enough() {
        let check = |planned, effective, expected| {
            let mut exploration = Exploration::of("s", "0..9".parse().unwrap());
            exploration.generators.push(GeneratorCounts { generator: "loss".to_owned(), planned, effective });
            assert_eq!(exploration.status(), expected, "{effective} of {planned}");
        };
        check(29, 0, Status::Pass);
        check(30, 2, Status::Fail);
        check(30, 3, Status::Pass);
        check(1_000, 99, Status::Fail);
    }
}
