//! What can be asked of a scenario: its name, the names of its parts, and how long and with which limits it runs.

use std::panic::Location;
use std::time::Duration;

use super::{RunLimits, Scenario};
use crate::check::{Check, Situation};
use crate::fault::Generator;

impl Scenario {
    /// Whether a check reads exchanges.
    pub(crate) fn observes_exchanges(&self) -> bool {
        self.checks.iter().any(Check::reads_exchanges)
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The place where it was declared: the call of [`Scenario::new`], or the call of the outermost `#[track_caller]`
    /// function around it.
    pub fn declared_at(&self) -> &'static Location<'static> {
        self.declared_at
    }

    /// The simulated time of one run.
    pub fn duration(&self) -> Duration {
        self.run_for + self.settle_for
    }

    /// The hosts that its clients share, in order.
    pub fn client_names(&self) -> impl Iterator<Item = &str> {
        self.clients.iter().map(|clients| clients.name.as_str())
    }

    /// The names of its fault generators, in order.
    pub fn generator_names(&self) -> impl Iterator<Item = &str> {
        self.generators.iter().map(Generator::name)
    }

    /// The names of its checks, in order.
    pub fn check_names(&self) -> impl Iterator<Item = &str> {
        self.checks.iter().map(Check::name)
    }

    /// The names of the situations that some run must reach, in order.
    pub fn situation_names(&self) -> impl Iterator<Item = &str> {
        self.situations.iter().map(Situation::name)
    }

    /// The number of runs in which each situation must be reached at least once, see [`Scenario::seeds`].
    pub fn min_runs(&self) -> u64 {
        self.seeds
    }

    /// The limits of one run.
    pub fn run_limits(&self) -> &RunLimits {
        &self.limits
    }
}
