//! Tests of the determinism doctor: for every way in which a run can depend on more than its case, the report names the
//! culprit. If a run is clean, or the sandbox makes the dependence harmless, the report blames nothing.
//!
//! This executable is itself a table of scenarios: with the argument `cli`, it behaves like a user's table.

#[path = "doctor/harmless.rs"]
mod harmless;
#[path = "doctor/leaks.rs"]
mod leaks;
#[path = "doctor/named.rs"]
mod named;
#[cfg(target_os = "linux")]
#[path = "support/refuse.rs"]
mod refuse;
#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;
#[path = "support/trial.rs"]
mod trial;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::Arguments;
use scenarios::{durability, timeouts};
use squall::prelude::*;
use trial::trial;

/// The environment variable that makes the table refuse system call filters for itself.
pub const REFUSE: &str = "DOCTOR_TEST_REFUSE";

/// The planted leaks, and real programs without leaks.
pub fn scenarios() -> Vec<fn() -> Scenario> {
    leaks::SCENARIOS.into_iter().chain([timeouts::scenario as fn() -> Scenario, durability::scenario]).collect()
}

fn main() -> ExitCode {
    let is_table = std::env::args().nth(1).as_deref() == Some("cli");
    if is_table || squall::internal::sandbox::is_zygote() {
        if std::env::var_os(REFUSE).is_some() {
            named::refuse_filters();
        }
        return squall::main(scenarios());
    }
    let trials = [named::trials(), harmless::trials()];
    libtest_mimic::run(&Arguments::from_args(), trials.into_iter().flatten().collect()).exit_code()
}

/// The directory for the files of one test.
pub fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("doctor").join(name);
    std::fs::create_dir_all(directory.join("target")).unwrap();
    directory
}

/// A command that runs the table with these arguments.
pub fn command(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.current_dir(directory(name)).env_remove("CARGO_TARGET_DIR").env_remove("SQUALL_SEEDS");
    command.arg("cli").args(arguments);
    command
}

/// The exit code, standard output and standard error.
pub fn parts(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}
