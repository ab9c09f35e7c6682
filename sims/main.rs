//! The simulations of the shop: a table of scenarios. `cargo sims --help` says what can be done with them.

mod bad_disks;
mod durability;
mod health_checks;
mod linearizable;
mod lost_answers;
mod partitions;
mod retries;
mod shop;
mod stateless_restarts;
mod timeouts;

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
