//! Counts how many runs of an exploration reached each situation of its scenario.

use serde::Serialize;

use crate::scenario::Scenario;

/// A situation and the number of runs that reached it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// The situation's name.
    pub situation: String,
    /// The number of runs that reached it.
    pub runs: u64,
}

/// The situations of a scenario and how often they were reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The situations, in the scenario's order.
    pub reached: Vec<Reached>,
    /// An unreached situation counts as missed after at least this many runs.
    pub min_runs: u64,
}

impl Coverage {
    /// The coverage before the first run.
    pub(crate) fn of(scenario: &Scenario) -> Coverage {
        let reached = scenario.situation_names().map(|name| Reached { situation: name.to_owned(), runs: 0 });
        // An exploration without any run has missed nothing.
        Coverage { reached: reached.collect(), min_runs: scenario.min_runs().max(1) }
    }

    pub(crate) fn add(&mut self, reached: &[bool]) {
        for (sum, reached) in self.reached.iter_mut().zip(reached) {
            sum.runs += u64::from(*reached);
        }
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
        coverage.add(&[true, false]);
        check(&coverage, 2, &[]);
        check(&coverage, 3, &["b"]);
        coverage.add(&[false, true]);
        check(&coverage, 3, &[]);
        assert_eq!(coverage.reached.iter().map(|reached| reached.runs).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn a_run_without_an_outcome_reached_nothing() {
        let mut coverage = Coverage::of(&Scenario::new("s").sometimes("a", |_, _| true).seeds(0));
        coverage.add(&[]);
        assert_eq!(coverage.missed(0), [""; 0]);
        assert_eq!(coverage.missed(1), ["a"]);
    }
}
