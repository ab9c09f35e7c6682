//! Cases as Rust code, written by hand or pasted from a report.

use std::time::Duration;

use super::{Case, Engine, SeededOrder};
use crate::fault::{Fault, Plan};
use crate::seed::Seed;

impl Case {
    /// Creates a case of this scenario without faults and without input. All decisions of its run are derived from the
    /// seed.
    pub fn new(scenario: &str, seed: Seed) -> Case {
        Case {
            scenario: scenario.to_owned(),
            seed,
            plan: Plan::none(),
            input: Default::default(),
            engine: Engine::default(),
            seeded_order: SeededOrder::default(),
        }
    }

    /// Sets what runs the hosts; [`Engine::Turmoil`] unless it is set.
    pub fn engine(mut self, engine: Engine) -> Case {
        self.engine = engine;
        self
    }

    /// Lets the seed decide who goes first of hosts that have something to do at the same time only within these times. At others
    /// it is the host that the scenario has first.
    pub fn seeded_order(mut self, within: std::ops::Range<Duration>) -> Case {
        self.seeded_order = SeededOrder { from: within.start, until: within.end };
        self
    }

    /// Adds a fault at the end of the plan.
    pub fn fault(mut self, fault: Fault) -> Case {
        self.plan.faults.push(fault);
        self
    }

    /// Adds the input of the next client on this host, as JSON: first that of client 0, then that of client 1.
    ///
    /// # Panics
    /// If the input is not JSON.
    pub fn input(mut self, clients: &str, json: &str) -> Case {
        let input = serde_json::from_str(json)
            .unwrap_or_else(|error| panic!("the input of a client of `{clients}` is not JSON: {error}"));
        self.input.entry(clients.to_owned()).or_default().push(input);
        self
    }
}
