//! What the sandbox makes harmless is the same in every run, and the doctor blames nothing in clean runs.

use std::num::NonZeroUsize;
use std::sync::Arc;

use libtest_mimic::Trial;
use squall::internal::explore::{CaseRef, Pool, Repeat, diagnose, investigate};
use squall::internal::sandbox::EntryPoint;
use squall::prelude::*;

use crate::{command, directory, parts, scenarios, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("harmless::real_programs_are_not_blamed_and_run_as_before", || is_clean("timeouts", 0..3)),
        trial("harmless::programs_with_a_database_are_not_blamed", || is_clean("durability", 0..2)),
        trial("harmless::watching_does_not_change_addresses", || is_clean("addresses", 0..1)),
        trial("harmless::the_command_line_runs_the_doctor", command_line),
        trial("harmless::the_users_environment_is_not_visible", environment),
        trial("harmless::what_is_read_without_the_c_library_is_the_seeds", without_library),
        trial("harmless::caches_of_earlier_runs_are_gone", cache),
        trial("harmless::the_order_of_addresses_is_stable", addresses),
    ]
}

/// Asserts that a watched run leaves no note, and is the same run as without the watch.
fn is_clean(name: &str, seeds: std::ops::Range<u64>) {
    let scenarios: Arc<[Scenario]> = scenarios().into_iter().map(|scenario| scenario()).collect();
    let index = scenarios.iter().position(|scenario| scenario.name() == name).unwrap();
    let pool = Pool::new(scenarios, NonZeroUsize::MIN, EntryPoint::Main, None);
    for seed in seeds.map(Seed) {
        let case_ref = CaseRef::Seed(seed);
        let run = investigate(&pool, index, &case_ref, Some(&directory(name))).unwrap();
        assert!(matches!(run.repeat, Repeat::Same), "{:?}", run.repeat);
        let diagnosis = diagnose(&pool, index, &case_ref, None);
        assert_eq!(diagnosis.of_equal_runs(), "nothing left the sandbox");
        assert_eq!((diagnosis.suspects.len(), diagnosis.later, &diagnosis.gap), (0, 0, &None));
        assert_eq!(diagnosis.fingerprint, Some(run.outcome.fingerprint), "seed {seed} runs as before");
    }
}

fn command_line() {
    let replay = |scenario: &str| {
        let (code, report, errors) =
            parts(command("command_line", &["replay", scenario, "--seed", "0", "--doctor"]).output().unwrap());
        assert_eq!(code, Some(if scenario == "timeouts" { 0 } else { 3 }), "{report}{errors}");
        report
    };
    assert!(replay("timeouts").ends_with("doctor: nothing left the sandbox\n"));
    let leaks = replay("raw_clock");
    assert!(
        leaks.contains("raw system call clock_adjtime") && !leaks.contains("doctor:"),
        "the leak is reported once:\n{leaks}"
    );
}

/// The fingerprints of an exploration in which every run is repeated and passes.
fn fingerprints(scenario: &str, file: &str, variable: Option<&str>) -> (String, String) {
    let arguments = ["explore", scenario, "--seeds", "0..6", "--verify", "--fingerprints", file];
    let mut command = command(scenario, &arguments);
    match variable {
        Some(value) => command.env("PLANTED_VARIABLE", value),
        None => command.env_remove("PLANTED_VARIABLE"),
    };
    let (code, report, errors) = parts(command.output().unwrap());
    assert_eq!(code, Some(0), "{report}{errors}");
    assert!(!report.contains("note:"), "{report}");
    let lines = std::fs::read_to_string(directory(scenario).join(file)).unwrap();
    assert_eq!(lines.lines().count(), 6, "{lines}");
    (lines, errors)
}

fn environment() {
    let (without, _) = fingerprints("variable", "without", None);
    for value in ["planted", "planted-and-longer"] {
        assert_eq!(fingerprints("variable", value, Some(value)).0, without);
    }
}

fn without_library() {
    let mut scenarios = vec!["entropy_device", "rustix_entropy", "raw_file"];
    if cfg!(target_arch = "x86_64") {
        scenarios.extend(["vdso_clock", "counter"]);
    }
    for scenario in scenarios {
        let (first, _) = fingerprints(scenario, "first", None);
        assert_eq!(fingerprints(scenario, "second", None).0, first, "{scenario}");
        let seen = |line: &str| line.split(' ').nth(2).map(str::to_owned);
        let different: std::collections::BTreeSet<_> = first.lines().map(seen).collect();
        assert_eq!(different.len(), 6, "{scenario}: {first}");
    }
}

fn cache() {
    // The scenario's own check fails if an earlier run has filled the cache.
    let (first, _) = fingerprints("cache", "first", None);
    assert_eq!(fingerprints("cache", "second", None).0, first);
}

fn addresses() {
    let arguments = ["replay", "addresses", "--seed", "0"];
    let (_, _, errors) = parts(command("addresses", &arguments).output().unwrap());
    if errors.contains("address randomisation cannot be turned off") {
        eprintln!("SKIPPED: address randomisation cannot be turned off here, so addresses may differ: {errors}");
        return;
    }
    let (first, _) = fingerprints("addresses", "first", None);
    assert_eq!(fingerprints("addresses", "second", Some("another environment")).0, first);
}
