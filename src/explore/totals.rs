//! The figures of an exploration as plain data, as files and tools have them.

use serde::{Deserialize, Serialize};

use super::coverage::{CheckCoverage, Reached};
use super::exploration::Exploration;
use super::status::Status;
use crate::run::GeneratorCounts;

/// The figures of an exploration. Fields may be added, and none changes its meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// The scenario's name.
    pub scenario: String,
    /// The requested seeds.
    pub seeds: String,
    /// The worst of its runs and of what they have reached.
    pub status: Status,
    /// The number of seeds that were judged.
    pub runs: u64,
    /// The number of runs that failed.
    pub failed: u64,
    /// The number of runs with an unknown verdict, including controls.
    pub unknown: u64,
    /// Planned and effective faults by generator.
    pub generators: Vec<GeneratorCounts>,
    /// How many runs reached each situation.
    pub sometimes: Vec<Reached>,
    /// How many things each check judged.
    pub checks: Vec<CheckCoverage>,
    /// The simulated time of all runs, in seconds.
    pub simulated_seconds: f64,
    /// The wall-clock time, in seconds.
    pub wall_seconds: f64,
}

impl Totals {
    /// The figures of an exploration.
    pub fn of(exploration: &Exploration) -> Totals {
        Totals {
            scenario: exploration.scenario.clone(),
            seeds: exploration.seeds.to_string(),
            status: exploration.status(),
            runs: exploration.runs,
            failed: exploration.failed,
            unknown: exploration.unknown,
            generators: exploration.generators.clone(),
            sometimes: exploration.coverage.reached.clone(),
            checks: exploration.coverage.checks.clone(),
            simulated_seconds: exploration.simulated.as_secs_f64(),
            wall_seconds: exploration.wall.as_secs_f64(),
        }
    }
}
