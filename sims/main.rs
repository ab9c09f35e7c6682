//! The simulations of the shop: a table of scenarios. `cargo sims --help` says what can be done with them.

// The path makes `scenarios.rs` look for its modules beside itself, as it does in the tests.
#[path = "scenarios.rs"]
mod scenarios;
mod shop;

use scenarios::*;

fn main() -> std::process::ExitCode {
    squall::main([
        timeouts::scenario as fn() -> squall::prelude::Scenario,
        retries::scenario,
        health_checks::scenario,
        stateless_restarts::scenario,
        partitions::scenario,
        durability::scenario,
        bad_disks::scenario,
        linearizable::scenario,
        lost_answers::scenario,
    ])
}
