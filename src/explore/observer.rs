//! The interface through which an exploration reports its progress.

use std::time::Duration;

use super::options::ExploreOptions;
use super::shrink::Size;
use crate::run::Outcome;

/// Receives the progress of an exploration.
pub trait Observer {
    /// An exploration begins.
    fn begins(&mut self, scenario: &str, options: &ExploreOptions) {
        let _ = (scenario, options);
    }

    /// A run has been judged, which took so much CPU time; runs come in the order of their seeds.
    fn judged(&mut self, outcome: &Outcome, cpu: Duration) {
        let _ = (outcome, cpu);
    }

    /// A failure is being shrunk: the number of runs up to now, and the size of the smallest case up to now.
    fn shrinking(&mut self, runs: u64, size: Size) {
        let _ = (runs, size);
    }
}

/// Ignores all progress.
impl Observer for () {}
