//! Who is told what happens while an exploration lasts.

use super::options::ExploreOptions;
use super::shrink::Size;
use crate::run::Outcome;

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
