//! What an overview is made from.

use crate::explore::{Exploration, Hunt};

/// What an overview shows.
pub struct Overview<'a> {
    /// The scenarios that were explored.
    pub scenarios: Vec<ExploredScenario<'a>>,
    /// The mistakes that were looked for.
    pub hunts: &'a [Hunt],
    /// The status of everything, in a word.
    pub status: &'a str,
    /// What is said of kept cases; empty if there are none.
    pub kept: &'a str,
    /// What is missing, one line each.
    pub problems: &'a [String],
}

/// A scenario that was explored.
pub struct ExploredScenario<'a> {
    /// The exploration, with a line of each run.
    pub exploration: &'a Exploration,
    /// The command that runs a seed again, up to the seed.
    pub replay: String,
    /// All that is known about why it does not pass.
    pub text: String,
}
