//! The same case gives the same run: a scenario that uses every source of randomness, started in many environments.
//!
//! This executable is itself a table of scenarios; its tests start it again in different ways and compare fingerprints.

#[path = "determinism/everything.rs"]
mod everything;
#[cfg(target_os = "linux")]
#[path = "determinism/threads.rs"]
mod threads;
#[path = "support/trial.rs"]
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::Arguments;
use squall::internal::run::{Detail, run};
use squall::prelude::*;
use trial::trial;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("cli") || squall::internal::sandbox::is_zygote() {
        return squall::main(table());
    }
    let tests: [(&str, fn()); 9] = [
        ("two_hundred_seeds_repeat_in_every_environment", || every_environment("everything", "turmoil")),
        ("two_hundred_seeds_by_events_repeat_in_every_environment", || on_linux("everything", "events")),
        ("two_hundred_seeds_with_threads_repeat_in_every_environment", || on_linux("threads", "turmoil")),
        ("two_hundred_seeds_with_threads_by_events_repeat_in_every_environment", || on_linux("threads", "events")),
        ("a_seed_alone_gives_the_same_run_as_after_others", alone),
        ("different_seeds_give_different_runs", different_seeds),
        ("a_rich_trace_does_not_change_the_run", rich_and_lean),
        ("runs_in_one_process_differ", mutant),
        ("a_case_file_replays_the_same_run", replayed_from_file),
    ];
    let trials = tests.map(|(name, test)| trial(name, test));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn table() -> Vec<fn() -> Scenario> {
    vec![
        everything::scenario,
        everything::broken,
        #[cfg(target_os = "linux")]
        threads::scenario,
    ]
}

fn file(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("determinism");
    fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

/// Starts this executable with `start` for these seeds; returns the lines of fingerprints that it writes.
fn fingerprints(name: &str, seeds: &str, jobs: &str, start: impl FnOnce(&Path) -> Command) -> Vec<String> {
    fingerprints_of(("everything", "turmoil"), name, seeds, jobs, start)
}

/// The same for this scenario on this engine.
fn fingerprints_of(
    (scenario, engine): (&str, &str),
    name: &str,
    seeds: &str,
    jobs: &str,
    start: impl FnOnce(&Path) -> Command,
) -> Vec<String> {
    let path = file(&format!("{scenario}-{engine}-{name}"));
    let mut command = start(&std::env::current_exe().unwrap());
    command.args(["cli", "explore", scenario, "--keep-going", "--seeds", seeds, "--jobs", jobs]);
    command.args(["--engine", engine, "--fingerprints"]);
    let output = command.arg(&path).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn on_linux(scenario: &str, engine: &str) {
    if cfg!(target_os = "linux") {
        every_environment(scenario, engine);
    }
}

fn every_environment(scenario: &str, engine: &str) {
    let seeds = "0..200";
    let plain = fingerprints_of((scenario, engine), "plain", seeds, "1", |own| Command::new(own));
    assert_eq!(plain.len(), 200);
    let check = |difference: &str, other: Vec<String>| {
        let first = plain.iter().zip(&other).find(|(a, b)| a != b);
        assert_eq!(first, None, "{difference}");
        assert_eq!(plain.len(), other.len(), "{difference}");
    };
    check("a second start", fingerprints_of((scenario, engine), "again", seeds, "1", |own| Command::new(own)));
    check("two jobs", fingerprints_of((scenario, engine), "two", seeds, "2", |own| Command::new(own)));
    let elsewhere = |own: &Path| {
        let mut command = Command::new(own);
        command.current_dir("/").env_clear().env("TZ", "Asia/Tokyo").env("LANG", "tr_TR").env("RUST_BACKTRACE", "full");
        command.env("A_LONG_VARIABLE", "x".repeat(20_000));
        command
    };
    check("another directory and environment", fingerprints_of((scenario, engine), "elsewhere", seeds, "2", elsewhere));
    for (name, limit) in [("small", "1024"), ("large", "65536")] {
        let limited = |own: &Path| {
            let mut command = Command::new("sh");
            let script = format!("ulimit -s {limit} 2>/dev/null; exec -a {name} \"$0\" \"$@\"");
            // Not every `sh` knows `exec -a`; bash does.
            if Path::new("/bin/bash").exists() {
                command = Command::new("/bin/bash");
            }
            command.arg("-c").arg(script).arg(own);
            command
        };
        check("another stack limit and name", fingerprints_of((scenario, engine), name, seeds, "2", limited));
    }
}

fn alone() {
    let all = fingerprints("all", "0..40", "1", |own| Command::new(own));
    for seed in [0_usize, 7, 39] {
        let one = fingerprints("one", &seed.to_string(), "1", |own| Command::new(own));
        assert_eq!(one, [all[seed].clone()]);
    }
    let reversed = fingerprints("late", "20..40", "2", |own| Command::new(own));
    assert_eq!(reversed, all[20..]);
}

fn different_seeds() {
    let lines = fingerprints("distinct", "0..200", "2", |own| Command::new(own));
    let distinct: std::collections::BTreeSet<_> = lines.iter().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(distinct.len(), 200);
}

fn rich_and_lean() {
    // A replay records everything, and reports it if the recorded run is a different one.
    for seed in ["0x3", "0x11"] {
        let own = std::env::current_exe().unwrap();
        let output = Command::new(own).args(["cli", "replay", "everything", "--seed", seed]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// Runs twice in one process, on one thread, so that the second run sees the state that the first one left behind.
fn mutant() {
    let scenario = everything::scenario();
    let differs = (0..8).map(Seed).any(|seed| {
        let case = scenario.case(seed);
        let fingerprint = || run(&scenario, &case, Detail::Lean).outcome.fingerprint;
        fingerprint() != fingerprint()
    });
    assert!(differs, "runs in one process are the same, so this scenario cannot detect shared state");
}

fn replayed_from_file() {
    let (own, directory) = (std::env::current_exe().unwrap(), file("replays"));
    fs::create_dir_all(directory.join("target")).unwrap();
    let cli = |arguments: &[&str]| {
        let mut command = Command::new(&own);
        command.current_dir(&directory).env_remove("CARGO_TARGET_DIR").arg("cli").args(arguments).output().unwrap()
    };
    cli(&["explore", "broken", "--seeds", "0..5", "--keep-going"]);
    let saved = fs::read_dir(directory.join("target/squall")).unwrap().map(|entry| entry.unwrap().path());
    let cases: Vec<_> = saved.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    assert_eq!(cases.len(), 7, "expected five seeds, a control, and the first failure shrunk");
    for case in cases {
        let output = cli(&["replay", case.to_str().unwrap()]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("the same run: recorded "), "{text}");
    }
}
