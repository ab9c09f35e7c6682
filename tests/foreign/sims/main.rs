//! The table of scenarios of a user's project.

mod scenarios;

fn main() -> std::process::ExitCode {
    squall::main([
        scenarios::router as fn() -> squall::prelude::Scenario,
        scenarios::health,
        scenarios::impatient,
    ])
}
