//! The summed-up results of the runs of one scenario.

use std::time::Duration;

use super::coverage::Coverage;
use super::failure::Failure;
use super::latencies::Latencies;
use super::run_line::RunLine;
use super::seeds::SeedRange;
use super::status::Status;
use crate::check::Verdict;
use crate::run::{GeneratorCounts, Outcome};
use crate::scenario::Scenario;

/// A generator is judged by how many of its faults were effective once at least this many were planned.
const JUDGED_FROM: u64 = 30;

/// The summed-up results of the runs of one scenario.
#[derive(Debug)]
pub struct Exploration {
    /// The scenario's name.
    pub scenario: String,
    /// Where the scenario was declared, if that is known.
    pub declared_at: Option<&'static std::panic::Location<'static>>,
    /// The requested seeds.
    pub seeds: SeedRange,
    /// The number of seeds that were judged; controls are not counted.
    pub runs: u64,
    /// The number of runs that failed.
    pub failed: u64,
    /// The number of runs with an unknown verdict, including controls.
    pub unknown: u64,
    /// The outcome of the first run with an unknown verdict.
    pub first_unknown: Option<Outcome>,
    /// The runs that failed, or that were different when they were repeated.
    pub failures: Vec<Failure>,
    /// Planned and effective faults by generator, over all runs.
    pub generators: Vec<GeneratorCounts>,
    /// The situations that were reached, and how many things the checks judged, over all runs.
    pub coverage: Coverage,
    /// Each run in one line, in the order of the seeds, if the options ask for it.
    pub lines: Vec<RunLine>,
    /// How long operations and exchanges took in all runs, if the options ask for it.
    pub latencies: Option<Latencies>,
    /// Observations that are not failures, one line each.
    pub notes: Vec<String>,
    /// The sum of the simulated time of all runs.
    pub simulated: Duration,
    /// The wall-clock time that the exploration took.
    pub wall: Duration,
    /// Whether its seeds are only a part of those to explore. Then only its runs are judged: what they reached is judged
    /// with that of the other parts.
    pub is_part: bool,
    /// The worst status of runs that failed in parts of the exploration which others have made.
    pub elsewhere: Status,
}

impl Exploration {
    /// The generators whose faults were hardly ever effective, one line each.
    pub fn idle_generators(&self) -> Vec<String> {
        let is_idle =
            |counts: &&GeneratorCounts| counts.planned >= JUDGED_FROM && counts.effective * 10 < counts.planned;
        let line = |counts: &GeneratorCounts| {
            format!(
                "fault generator `{}` was effective only {} of {} times",
                counts.generator, counts.effective, counts.planned
            )
        };
        self.generators.iter().filter(is_idle).map(line).collect()
    }

    /// The status of the exploration: the worst of its runs, its generators, its situations and its checks.
    pub fn status(&self) -> Status {
        let worst = self.failures.iter().map(Failure::status).max().unwrap_or(Status::Pass).max(self.elsewhere);
        if self.is_part {
            return if self.unknown > 0 { worst.max(Status::Unknown) } else { worst };
        }
        let is_idle = !self.coverage.missed(self.runs).is_empty() || !self.coverage.idle_checks(self.runs).is_empty();
        if is_idle || !self.idle_generators().is_empty() {
            return Status::Fail;
        }
        if self.unknown > 0 { worst.max(Status::Unknown) } else { worst }
    }

    /// An exploration of a scenario before its first run.
    pub(crate) fn before(scenario: &Scenario, seeds: SeedRange) -> Exploration {
        let (declared_at, coverage) = (Some(scenario.declared_at()), Coverage::of(scenario));
        Exploration { declared_at, coverage, ..Exploration::of(scenario.name(), seeds) }
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
            lines: Vec::new(),
            latencies: None,
            notes: Vec::new(),
            simulated: Duration::ZERO,
            wall: Duration::ZERO,
            is_part: false,
            elsewhere: Status::Pass,
        }
    }

    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.simulated += outcome.simulated;
        self.coverage.add_reached(&outcome.reached);
        self.coverage.add_judged(&outcome.judged);
        match outcome.verdict {
            Verdict::Pass => {}
            Verdict::Unknown(_) => {
                self.unknown += 1;
                self.first_unknown.get_or_insert_with(|| outcome.clone());
            }
            Verdict::Fail(_) => self.failed += 1,
        }
        outcome.generators.iter().for_each(|counts| self.add_generator(counts));
    }

    /// Adds the faults of a generator.
    pub(crate) fn add_generator(&mut self, counts: &GeneratorCounts) {
        match self.generators.iter_mut().find(|known| known.generator == counts.generator) {
            Some(known) => {
                known.planned += counts.planned;
                known.effective += counts.effective;
            }
            None => self.generators.push(counts.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_that_is_hardly_ever_effective_fails_once_there_are_enough_faults() {
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
