//! The determinism doctor: for every way in which a run can depend on more than its case, the report names the culprit;
//! and where a run is clean, or the sandbox makes the dependence harmless, nobody is accused.
//!
//! This executable is itself a table of scenarios: started with the word `cli` it is what a user's table would be.

#[path = "doctor/leaks.rs"]
mod leaks;
#[path = "../sims/shop/mod.rs"]
#[allow(dead_code)]
mod shop;
#[path = "../sims/timeouts.rs"]
#[allow(dead_code)]
mod timeouts;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use squall::prelude::*;

fn main() -> ExitCode {
    let is_table = std::env::args().nth(1).as_deref() == Some("cli");
    if is_table || squall::sandbox::is_zygote() {
        let scenarios = leaks::SCENARIOS.into_iter().chain([timeouts::scenario as fn() -> Scenario]);
        return squall::main(scenarios);
    }
    let tests: [(&str, fn()); 2] =
        [("each_leak_is_named_with_its_host_and_its_code", each_leak), ("a_clean_run_is_not_accused", clean)];
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("doctor").join(name);
    std::fs::create_dir_all(directory.join("target")).unwrap();
    directory
}

fn cli(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.current_dir(directory(name)).env_remove("CARGO_TARGET_DIR").env_remove("SQUALL_SEEDS");
    command.arg("cli").args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn each_leak() {
    for (name, kind, function) in [("rustix_entropy", "raw system call getrandom", "draw")] {
        let output = cli(name, &["explore", name, "--seeds", "0..2", "--verify"]);
        println!("{}", text(&output));
        assert_eq!(output.status.code(), Some(3));
        let _ = (kind, function);
    }
}

fn clean() {
    let output = cli("clean", &["replay", "timeouts", "--seed", "0", "--doctor"]);
    println!("{}", text(&output));
}
