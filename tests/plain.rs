//! Scenarios in plain `#[test]` functions: the test binary starts itself again for the one test, and forks each run in
//! that process.

#[path = "determinism/everything.rs"]
#[allow(dead_code)]
mod everything;

#[test]
fn a_scenario_without_addresses_passes_and_repeats() {
    // The first seed runs twice, and the two runs are compared.
    everything::without_addresses().assert_passes(0..8);
}

#[test]
#[should_panic(expected = "FAILED: broken, seed 0x0")]
fn a_failure_is_reported() {
    everything::broken().assert_passes(0..8);
}

#[test]
#[should_panic(expected = "is empty")]
fn an_empty_range_is_refused() {
    everything::without_addresses().assert_passes(3..3);
}

/// Starts this test binary again for one test, in a separate directory, and returns its output.
fn start(test: &str, directory: &str, case: Option<&str>) -> String {
    start_with(test, directory, case.map(|case| ("SQUALL_CASE", case)))
}

/// The same with a variable of the environment.
fn start_with(test: &str, directory: &str, variable: Option<(&str, &str)>) -> String {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory);
    std::fs::create_dir_all(directory.join("target")).unwrap();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).current_dir(directory).env_remove("CARGO_TARGET_DIR");
    for name in ["SQUALL_CASE", "SQUALL_SEEDS", "SQUALL_JOBS", "SQUALL_TRACE"] {
        command.env_remove(name);
    }
    command.envs(variable);
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_replay_line_works_only_for_its_own_test() {
    let failed = start("a_failure_is_reported", "plain", None);
    let line = failed.lines().find_map(|line| line.strip_prefix("replay: ")).expect("the output has a replay line");
    let (variable, command) = line.split_once(' ').unwrap();
    assert_eq!(command, "cargo test a_failure_is_reported -- --exact");
    let case = variable.strip_prefix("SQUALL_CASE=").unwrap();
    let again = start("a_failure_is_reported", "plain", Some(case));
    for part in ["the same run: recorded", "FAILED: broken, seed 0x0", line] {
        assert!(again.contains(part), "`{part}` is missing in {again}");
    }
    let elsewhere = start("a_scenario_without_addresses_passes_and_repeats", "plain", Some(case));
    assert!(elsewhere.contains("no scenario is named `broken`"), "{elsewhere}");
}

#[test]
fn a_failure_points_at_the_line_of_the_test() {
    let failed = start("a_failure_is_reported", "line", None);
    assert!(failed.contains("panicked at tests/plain.rs:"), "{failed}");
}

#[test]
fn the_environment_changes_the_seeds_the_workers_and_what_is_printed() {
    let passing = "a_scenario_without_addresses_passes_and_repeats";
    let check = |test: &str, name: &str, value: &str, expected: &str| {
        let output = start_with(test, "environment", Some((name, value)));
        assert!(output.contains(expected), "`{expected}` is missing with {name}={value} in {output}");
    };
    check(passing, "SQUALL_SEEDS", "3..5", "seeds 0x3..0x5");
    check(passing, "SQUALL_SEEDS", "many", "SQUALL_SEEDS: ");
    check(passing, "SQUALL_JOBS", "1", "test result: ok");
    check(passing, "SQUALL_JOBS", "none", "SQUALL_JOBS: `none` is not a number of runs at once");
    let header = "      time  a";
    check("a_failure_is_reported", "SQUALL_TRACE", "1", header);
    let plain = start("a_failure_is_reported", "environment", None);
    let traced = start_with("a_failure_is_reported", "environment", Some(("SQUALL_TRACE", "1")));
    assert!(traced.matches(header).count() > plain.matches(header).count(), "{traced}");
}

fn case_of(scenario: &squall::prelude::Scenario) -> squall::scenario::Case {
    squall::scenario::Case::new(scenario.name(), squall::prelude::Seed(3))
}

#[test]
fn a_passing_case_is_accepted() {
    let scenario = everything::without_addresses();
    let case = case_of(&scenario);
    scenario.assert_case_passes(case);
}

#[test]
#[should_panic(expected = "FAILED: broken, seed 0x3")]
fn a_failing_case_is_reported() {
    let scenario = everything::broken();
    let case = case_of(&scenario);
    scenario.assert_case_passes(case);
}

#[test]
#[should_panic(expected = "this case belongs to `broken`, not to")]
fn a_case_of_another_scenario_is_refused() {
    let case = case_of(&everything::broken());
    everything::without_addresses().assert_case_passes(case);
}

#[test]
#[should_panic(expected = "plan[0]: the scenario has no host named `nobody`")]
fn a_case_with_an_unknown_host_is_refused() {
    let scenario = everything::without_addresses();
    let case = case_of(&scenario).fault(squall::fault::kill(["nobody"]).at_start());
    scenario.assert_case_passes(case);
}
