//! The tests, each of which starts this executable as a command line.

use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use squall::prelude::*;
use squall::scenario::Mistake;

const SEEDS: &str = "0..24";

/// Runs the tests of these scenarios and mistakes.
pub fn run(scenarios: &[Scenario], mistakes: &[Mistake]) -> ExitCode {
    let mut trials = Vec::new();
    for name in scenarios.iter().map(|scenario| scenario.name().to_owned()) {
        trials.push(Trial::test(name.clone(), move || passes_and_repeats(&name)));
    }
    for name in mistakes.iter().map(|mistake| mistake.name().to_owned()) {
        trials.push(Trial::test(format!("mistakes::{name}"), move || {
            cli(&["mistakes", &name, "--starts", "2", "--shrink-for", "0"]).map(drop)
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Explores the seeds with one job, again, and with two: every run passes without an escape, and has one fingerprint.
fn passes_and_repeats(name: &str) -> Result<(), Failed> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unchanged");
    std::fs::create_dir_all(&directory)?;
    let explored = |label: &str, jobs: &str| -> Result<String, Failed> {
        let file = directory.join(format!("{name}-{label}"));
        let path = file.to_str().ok_or("a path of text")?;
        cli(&["explore", name, "--seeds", SEEDS, "--jobs", jobs, "--fingerprints", path])?;
        Ok(std::fs::read_to_string(file)?)
    };
    let first = explored("first", "1")?;
    for (label, jobs) in [("again", "1"), ("two", "2")] {
        let other = explored(label, jobs)?;
        if let Some((a, b)) = first.lines().zip(other.lines()).find(|(a, b)| a != b) {
            return Err(format!("{label}: {a} is now {b}").into());
        }
        if (first.lines().count(), other.lines().count()) != (24, 24) {
            return Err(format!("{label}: not every seed has a fingerprint").into());
        }
    }
    Ok(())
}

/// Starts this executable as a command line, shows what it writes, and fails if it does.
fn cli(arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new(std::env::current_exe()?).arg("cli").args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    if text.contains("left the sandbox") {
        return Err("a run left the sandbox".into());
    }
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}
