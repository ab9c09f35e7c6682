//! A user's table of scenarios.

mod scenarios;

fn main() -> std::process::ExitCode {
    squall::main([
        scenarios::router as fn() -> squall::prelude::Scenario,
        scenarios::health,
        scenarios::impatient,
    ])
}
