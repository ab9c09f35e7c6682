//! Counts how many runs of an exploration reached each situation of its scenario, and how many things each of its
//! checks judged.

use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;

/// A situation and the number of runs that reached it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The situation's name.
    pub situation: String,
    /// The number of runs that reached it.
    pub runs: u64,
}

/// A check and how many things it judged, controls included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckCoverage {
    /// The check's name.
    pub check: String,
    /// Whether it may find nothing to judge ([`Check::if_any`](crate::check::Check::if_any)).
    pub is_optional: bool,
    /// The number of things that it judged in all runs.
    pub judged: u64,
    /// The number of runs in which it judged something.
    pub runs: u64,
    /// The number of runs that came to an end, and so were given to the check.
    pub of_runs: u64,
}

/// The situations of a scenario and how often they were reached, and its checks and how much they judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The situations, in the scenario's order.
    pub reached: Vec<Reached>,
    /// The checks, in the scenario's order.
    pub checks: Vec<CheckCoverage>,
    /// An unreached situation counts as missed, and a check as idle, after at least this many runs.
    pub min_runs: u64,
}

impl Coverage {
    /// The coverage before the first run.
    pub(crate) fn of(scenario: &Scenario) -> Coverage {
        let reached = scenario.situation_names().map(|name| Reached { situation: name.to_owned(), runs: 0 });
        let checks = scenario.checks.iter().map(|check| CheckCoverage {
            check: check.name().to_owned(),
            is_optional: check.is_optional(),
            judged: 0,
            runs: 0,
            of_runs: 0,
        });
        // An exploration without any run has missed nothing.
        Coverage { reached: reached.collect(), checks: checks.collect(), min_runs: scenario.min_runs().max(1) }
    }

    /// Adds the coverage of other runs of the same scenario; that of a scenario of which nothing is known yet is empty.
    pub(crate) fn add(&mut self, other: Coverage) {
        if self.reached.is_empty() && self.checks.is_empty() {
            *self = other;
            return;
        }
        for (sum, reached) in self.reached.iter_mut().zip(other.reached) {
            sum.runs += reached.runs;
        }
        for (sum, check) in self.checks.iter_mut().zip(other.checks) {
            sum.judged += check.judged;
            sum.runs += check.runs;
            sum.of_runs += check.of_runs;
        }
    }

    /// Adds the situations that a run reached.
    pub(crate) fn add_reached(&mut self, reached: &[bool]) {
        for (sum, reached) in self.reached.iter_mut().zip(reached) {
            sum.runs += u64::from(*reached);
        }
    }

    /// Adds how many things the checks judged in a run or a control.
    pub(crate) fn add_judged(&mut self, judged: &[u64]) {
        for (sum, judged) in self.checks.iter_mut().zip(judged) {
            sum.judged += judged;
            sum.runs += u64::from(*judged > 0);
            sum.of_runs += 1;
        }
    }

    /// The checks that judged nothing in any run, and that must. Not exercised is not caught.
    pub fn unexercised(&self) -> impl Iterator<Item = &str> {
        let judged_nothing = self.checks.iter().filter(|check| check.judged == 0 && !check.is_optional);
        judged_nothing.map(|check| check.check.as_str())
    }

    /// The checks that judged nothing in `runs` runs; empty if there were too few runs to say.
    pub fn idle_checks(&self, runs: u64) -> Vec<&str> {
        if runs < self.min_runs { Vec::new() } else { self.unexercised().collect() }
    }

    /// The situations that no run reached.
    pub fn unreached(&self) -> impl Iterator<Item = &str> {
        self.reached.iter().filter(|reached| reached.runs == 0).map(|reached| reached.situation.as_str())
    }

    /// The situations that none of `runs` runs reached; empty if there were too few runs to judge.
    pub fn missed(&self, runs: u64) -> Vec<&str> {
        if runs < self.min_runs { Vec::new() } else { self.unreached().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreached_situation_is_missed_once_there_are_enough_runs() {
        let scenario = Scenario::new("s").sometimes("a", |_, _| true).sometimes("b", |_, _| false).seeds(3);
        let mut coverage = Coverage::of(&scenario);
        let check =
            |coverage: &Coverage, runs, expected: &[&str]| assert_eq!(coverage.missed(runs), expected, "{runs}");
        coverage.add_reached(&[true, false]);
        check(&coverage, 2, &[]);
        check(&coverage, 3, &["b"]);
        coverage.add_reached(&[false, true]);
        check(&coverage, 3, &[]);
        assert_eq!(coverage.reached.iter().map(|reached| reached.runs).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn a_check_that_judges_nothing_is_idle_once_there_are_enough_runs() {
        let check = |name| crate::check::Check::new(name, |_, _| crate::check::Verdict::Pass);
        let mut coverage =
            Coverage::of(&Scenario::new("s").check(check("a")).check(check("b")).check(check("c").if_any()).seeds(2));
        coverage.add_judged(&[3, 0, 0]);
        assert_eq!(coverage.idle_checks(1), [""; 0]);
        coverage.add_judged(&[0, 0, 0]);
        assert_eq!(coverage.idle_checks(2), ["b"]);
        let CheckCoverage { judged, runs, of_runs, .. } = coverage.checks[0];
        assert_eq!((judged, runs, of_runs), (3, 1, 2));
        coverage.add_judged(&[0, 1, 0]);
        assert_eq!(coverage.idle_checks(2), [""; 0]);
    }

    #[test]
    fn a_run_without_an_outcome_reached_nothing() {
        let mut coverage = Coverage::of(&Scenario::new("s").sometimes("a", |_, _| true).seeds(0));
        coverage.add_reached(&[]);
        assert_eq!(coverage.missed(0), [""; 0]);
        assert_eq!(coverage.missed(1), ["a"]);
    }
}
