//! The simulations of the shop: the table of scenarios, and that of the mistakes that they catch. `cargo sims --help` lists
//! what can be done with them.

// The explicit path makes `scenarios.rs` look for its modules next to itself, as it does in the tests.
mod mistakes;
#[path = "scenarios.rs"]
mod scenarios;
mod shop;

use scenarios::*;

fn main() -> std::process::ExitCode {
    let scenarios = [
        timeouts::scenario as fn() -> squall::prelude::Scenario,
        retries::scenario,
        health_checks::scenario,
        stateless_restarts::scenario,
        partitions::scenario,
        durability::scenario,
        bad_disks::scenario,
        linearizable::scenario,
        lost_answers::scenario,
        idempotency::scenario,
        degradation::scenario,
        graceful_shutdown::scenario,
        pooling::scenario,
        trust::scenario,
        uploads::scenario,
        overload::scenario,
        shedding::scenario,
        balancing::scenario,
        ejection::scenario,
        slow_reads::scenario,
        clients_that_leave::scenario,
        protocols::scenario,
        service_to_service::scenario,
        sessions::scenario,
        sticky_sessions::scenario,
    ];
    squall::main_with_mistakes(scenarios, mistakes::all())
}
