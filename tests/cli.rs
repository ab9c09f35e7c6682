//! The command line and libtest's protocol, with small scenarios that end in every possible way.
//!
//! This executable is itself a table of scenarios: if its first argument is `cli`, or `SQUALL_TABLE` is set (`other`
//! for a second table, `mistakes` for one of mistakes), it acts as a user's table would. Otherwise it runs the tests,
//! which start it again in these ways.

#[path = "cli/check_history.rs"]
mod check_history;
#[path = "cli/diffs.rs"]
mod diffs;
#[path = "support/echo.rs"]
mod echo;
#[path = "cli/explorations.rs"]
mod explorations;
#[path = "cli/kept.rs"]
mod kept;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[path = "cli/replays.rs"]
mod replays;
#[path = "cli/selection.rs"]
mod selection;
#[path = "cli/shards.rs"]
mod shards;
#[path = "cli/smaller.rs"]
mod smaller;
#[path = "cli/sweeps.rs"]
mod sweeps;
#[path = "cli/table.rs"]
mod table;
#[path = "support/trial.rs"]
mod trial;
#[path = "cli/usage.rs"]
mod usage;
#[path = "cli/watching.rs"]
mod watching;
#[path = "cli/wrong_inputs.rs"]
mod wrong_inputs;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use libtest_mimic::Arguments;
use trial::trial;

fn main() -> ExitCode {
    let is_table = std::env::args().nth(1).as_deref() == Some("cli") || std::env::var_os("SQUALL_TABLE").is_some();
    if squall::internal::sandbox::is_zygote() {
        // A zygote does not know which table it serves.
        return squall::main_with_mistakes(
            table::SCENARIOS.into_iter().chain(selection::SCENARIOS),
            mistakes::MISTAKES,
        );
    }
    if std::env::var_os("SQUALL_TABLE").is_some_and(|table| table == "other") {
        return squall::main(selection::SCENARIOS);
    }
    if std::env::var_os("SQUALL_TABLE").is_some_and(|table| table == "mistakes") {
        return squall::main_with_mistakes([], mistakes::MISTAKES);
    }
    if is_table {
        return squall::main(table::SCENARIOS);
    }
    let tests: [(&str, fn()); 66] = [
        ("a_passing_exploration_exits_with_0_and_prints_a_table", passing),
        ("a_broken_promise_exits_with_1_and_explains_itself", broken_promise),
        ("a_failing_case_replays_in_a_fresh_process", replays_afresh),
        ("every_way_to_die_is_reported_with_its_seed_while_other_runs_continue", ways_to_die),
        ("a_slow_run_is_no_hang", slow_run),
        ("a_simulated_day_is_no_hang", long_run),
        ("many_idle_hosts_are_no_hang", idle_hosts),
        ("a_run_that_differs_when_repeated_exits_with_3", not_deterministic),
        ("an_unknown_verdict_exits_with_3", unknown),
        ("a_fault_that_is_never_effective_fails_the_exploration", explorations::never_effective),
        ("checks_without_anything_to_judge_fail", explorations::checks_without_anything_to_judge_fail),
        ("the_faults_of_a_run_are_drawn_or_selected", explorations::faults_are_chosen),
        ("an_unreached_situation_fails_once_there_are_enough_runs", explorations::never_reached),
        ("fingerprints_do_not_depend_on_jobs_or_invocation", explorations::fingerprints),
        ("json_is_written", explorations::json),
        ("bad_usage_is_one_line_and_exits_with_2", usage::bad_usage),
        (
            "each_wrong_input_gets_a_line_that_says_what_to_do",
            wrong_inputs::each_wrong_input_gets_a_line_that_says_what_to_do,
        ),
        ("scenarios_are_chosen_by_pattern", explorations::scenarios_are_chosen_by_pattern),
        ("an_interrupted_exploration_shows_the_table_so_far", explorations::interrupted),
        ("a_check_that_panics_is_named_with_its_location", explorations::a_check_that_panics),
        ("a_damaged_case_file_is_one_line_and_exits_with_2", usage::damaged_files),
        ("it_works_as_a_libtest_executable", protocol),
        ("the_number_of_seeds_comes_from_the_environment", usage::seeds_from_environment),
        ("help_is_shown", usage::help),
        ("a_shell_completes_commands_flags_and_names", usage::completions),
        ("the_catalog_of_faults_is_shown", usage::catalog),
        ("a_closed_pipe_is_not_an_error", usage::broken_pipe),
        ("an_edited_case_is_replayed_as_it_is_and_not_changed", edited_case),
        ("an_interrupt_leaves_no_process", interrupt),
        ("a_kept_case_runs_first_and_must_pass", kept::a_kept_case_runs_first),
        ("keeping_overwrites_no_other_case", kept::keeping_overwrites_no_other_case),
        (
            "a_kept_case_that_cannot_run_is_reported_in_one_line",
            kept::a_kept_case_that_cannot_run_is_reported_in_one_line,
        ),
        (
            "a_kept_case_that_passes_by_luck_is_not_deterministic",
            kept::a_kept_case_that_passes_by_luck_is_not_deterministic,
        ),
        ("runs_that_died_are_compared_by_their_ends", replays::runs_that_died_are_compared_by_their_ends),
        ("a_case_is_printed_as_a_test", kept::a_case_is_printed_as_a_test),
        ("a_replay_shows_where_it_diverges", replays::a_replay_shows_where_it_diverges),
        ("a_changed_definition_or_version_is_reported", replays::a_changed_definition_or_version_is_reported),
        ("the_timeline_ends_at_the_given_time", replays::the_timeline_ends_at_the_given_time),
        ("a_run_without_a_debugger_does_not_stop", replays::a_run_without_a_debugger_does_not_stop),
        ("a_saved_case_can_be_shrunk_later", smaller::a_saved_case_can_be_shrunk_later),
        ("a_passing_case_is_not_shrunk", smaller::a_passing_case_is_not_shrunk),
        ("failures_are_annotations_on_github", smaller::failures_are_annotations_on_github),
        ("a_history_from_elsewhere_is_judged", check_history::a_history_from_elsewhere_is_judged),
        ("a_sweep_passes_if_everything_is_survived", sweeps::a_sweep_passes_if_everything_is_survived),
        ("a_sweep_names_each_point_that_is_not_survived", sweeps::a_sweep_names_each_point_that_is_not_survived),
        ("a_killed_sweep_resumes", sweeps::a_killed_sweep_resumes),
        ("an_interrupted_sweep_shows_its_table_and_resumes", sweeps::an_interrupted_sweep_shows_its_table_and_resumes),
        ("an_interrupted_hunt_shows_the_table_so_far", mistakes::an_interrupted_hunt_shows_the_table_so_far),
        ("an_impossible_sweep_is_refused", sweeps::an_impossible_sweep_is_refused),
        ("an_invalid_scenario_is_refused_before_any_run", selection::an_invalid_scenario_is_refused_before_any_run),
        ("an_invalid_scenario_fails_only_its_own_test", selection::an_invalid_scenario_fails_only_its_own_test),
        ("generators_are_selected_by_name_or_kind", selection::generators_are_selected_by_name_or_kind),
        ("each_mistake_is_caught_or_told_why_not", mistakes::each_mistake_is_caught_or_told_why_not),
        ("mistakes_are_chosen_and_written_as_json", mistakes::mistakes_are_chosen_and_written_as_json),
        ("each_mistake_is_a_test", mistakes::each_mistake_is_a_test),
        ("shards_together_are_the_whole", shards::shards_together_are_the_whole),
        ("failures_of_shards_stand_in_groups", shards::failures_of_shards_stand_in_groups),
        ("kept_cases_are_run_by_the_first_shard_alone", shards::kept_cases_are_run_by_the_first_shard_alone),
        ("a_shard_that_is_not_there_is_named", shards::a_shard_that_is_not_there_is_named),
        ("shards_of_different_work_are_not_joined", shards::shards_of_different_work_are_not_joined),
        ("sweeps_and_hunts_are_split", shards::sweeps_and_hunts_are_split),
        ("two_runs_stand_side_by_side", diffs::two_runs_stand_side_by_side),
        ("runs_that_cannot_be_compared_are_refused", diffs::runs_that_cannot_be_compared_are_refused),
        (
            "a_watched_exploration_stops_at_the_first_failure",
            watching::a_watched_exploration_stops_at_the_first_failure,
        ),
        ("a_terminal_shows_the_view", watching::a_terminal_shows_the_view),
        ("a_debugger_stops_in_the_code_under_test", replays::a_debugger_stops_in_the_code_under_test),
    ];
    let trials = tests.map(|(name, test)| trial(name, test));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// The directory of a test's files.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    std::fs::create_dir_all(directory.join("target")).unwrap();
    directory
}

/// Removes the cases that an earlier build saved.
fn forget_cases(name: &str) {
    let _ = std::fs::remove_dir_all(directory(name).join("target/squall"));
}

/// The case that a test saved.
fn saved_case(name: &str) -> PathBuf {
    let saved = std::fs::read_dir(directory(name).join("target/squall")).unwrap();
    let mut paths = saved.map(|entry| entry.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "json")).expect("a case was saved")
}

fn command(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    // The directory stands for a user's project.
    command.env("CARGO_MANIFEST_DIR", directory(name));
    command.current_dir(directory(name)).env_remove("CARGO_TARGET_DIR").env_remove("SQUALL_SEEDS");
    command
}

fn cli(name: &str, arguments: &[&str]) -> Output {
    command(name).arg("cli").args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("no signal")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}

fn passing() {
    let output = cli("passing", &["explore", "echo", "--seeds", "0..8"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert_contains(
        &stdout(&output),
        &["scenario", "verdict", "effective faults", "ratio", "echo", "0x0..0x8", "pass"],
    );
    assert_contains(&stderr(&output), &["seeds 0x0..0x8"]);
}

fn broken_promise() {
    let output = cli("broken", &["explore", "fragile", "--seeds", "21..50"]);
    assert_eq!(code(&output), 1);
    let parts = [
        "FAILED: fragile, seed",
        "every_answer_comes\n",
        "shrunk from",
        "to 1 fault and 4 operations: no fault can be left out",
        "faults\n  f1   kill server at",
        "1 effect",
        "Without f1 the run passes.",
        "timeline around",
        "server is killed",
        "deterministic: yes",
        "as found: target/squall/fragile-0x",
        "case: target/squall/fragile-0x",
        "replay: cargo sims replay target/squall/fragile-0x",
    ];
    assert_contains(&stdout(&output), &parts);
}

fn replays_afresh() {
    let name = "replays";
    forget_cases(name);
    cli(name, &["explore", "fragile", "--seeds", "21..50"]);
    let saved = saved_case(name);
    let path = format!("target/squall/{}", saved.file_name().unwrap().to_string_lossy());
    let output = cli(name, &["replay", &path]);
    assert_eq!(code(&output), 1);
    assert_contains(&stdout(&output), &["the same run: recorded", "FAILED: fragile", "every_answer_comes"]);
    let seed = path.split(['-', '.']).nth(1).unwrap();
    let by_seed = cli(name, &["replay", "fragile", "--seed", seed, "--trace"]);
    assert_eq!(code(&by_seed), 1);
    assert_contains(&stdout(&by_seed), &["lanes: a server, b client", "FAILED: fragile"]);
}

fn ways_to_die() {
    let ways = [
        ("panics", "a task of server panicked at"),
        ("aborts", "the program aborted (signal 6) on host server at"),
        ("overflows", "the program overflowed its stack on host server at"),
        ("hoards", "needed more than its limit of 256 MiB of memory on host server at"),
        ("exits", "the program ended the whole process with exit code 0 on host server at"),
        ("spins", "waits in a loop for time to pass, but its clock stands still on host server at"),
        ("yields", "hang: "),
        ("computes", "hang: virtual time stood still for 500ms of CPU time; it was last seen on host server at"),
    ];
    for (scenario, expected) in ways {
        let arguments =
            ["explore", scenario, "--seeds", "0..8", "--keep-going", "--hang-after", "0.5", "--json", "all"];
        let output = cli(scenario, &arguments);
        assert_eq!(code(&output), 1, "{scenario}: {}", stdout(&output));
        assert_contains(&stdout(&output), &[expected, &format!("FAILED: {scenario}, seed 0x")]);
        let json = std::fs::read_to_string(directory(scenario).join("all")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let (runs, failed) = (json[0]["runs"].as_u64().unwrap(), json[0]["failed"].as_u64().unwrap());
        assert_eq!(runs, 8, "{scenario}: all seeds are judged");
        assert!((1..8).contains(&failed), "{scenario}: {failed} failed, and others continued");
    }
}

fn slow_run() {
    let output = cli("plods", &["explore", "plods", "--seeds", "0..1", "--hang-after", "0.1"]);
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    let expected = "slow: the run used up its 628ms of CPU time before its end at 10s; it was last seen on host";
    assert_contains(&stdout(&output), &[expected]);
}

/// Many hosts that do nothing take more CPU time than a run may stand still for, which is not a hang.
fn idle_hosts() {
    let output = cli("crowd", &["explore", "crowd", "--seeds", "0..1", "--hang-after", "0.05"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let text = stdout(&output);
    let wall = text.split_whitespace().find_map(|word| word.strip_suffix("s")?.parse::<f64>().ok());
    assert!(wall.is_some_and(|wall| wall > 0.3), "it took long enough to prove something: {text}");
}

/// A run that takes long because it is long is no hang, however little CPU time virtual time may stand still for.
fn long_run() {
    let began = std::time::Instant::now();
    let output = cli("day", &["explore", "day", "--seeds", "0..1", "--hang-after", "0.05"]);
    let took = began.elapsed().as_secs_f64();
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(took > 0.5, "it took long enough to prove something: {took} s");
}

fn not_deterministic() {
    let output = cli("differs", &["explore", "differs", "--seeds", "0..4", "--verify"]);
    assert_eq!(code(&output), 3, "{}", stdout(&output));
    assert_contains(&stdout(&output), &["NOT DETERMINISTIC", "the runs diverge at event", "first", "second"]);
    let by_escape = cli("differs", &["explore", "differs", "--seeds", "0..4"]);
    assert_eq!(code(&by_escape), 3, "an escape is judged by repetition: {}", stdout(&by_escape));
}

fn unknown() {
    let output = cli("unknown", &["explore", "unknown", "--seeds", "0..4"]);
    assert_eq!(code(&output), 3);
    assert_contains(&stdout(&output), &["unknown", "nobody looked"]);
}

#[track_caller]
fn assert_one_line(output: &Output, expected: &str, expected_code: i32) {
    let text = stderr(output);
    assert_eq!((text.lines().count(), code(output)), (1, expected_code), "{text}{}", stdout(output));
    assert_contains(&text, &[expected]);
}

fn protocol() {
    let as_table = |arguments: &[&str]| {
        command("protocol").env("SQUALL_TABLE", "1").env("SQUALL_SEEDS", "3").args(arguments).output().unwrap()
    };
    let list = stdout(&as_table(&["--list", "--format", "terse"]));
    assert_contains(&list, &["echo: test\n", "fragile: test\n"]);
    let one = as_table(&["echo", "--exact", "--nocapture"]);
    assert_eq!(code(&one), 0);
    assert_contains(&stdout(&one), &["1 passed", "echo: seeds 0x0..0x3"]);
    let failing = as_table(&["aborts", "--exact"]);
    assert_ne!(code(&failing), 0);
    assert_contains(&stdout(&failing), &["FAILED: aborts, seed 0x", "replay: cargo sims replay"]);
}

fn edited_case() {
    let name = "edited";
    forget_cases(name);
    cli(name, &["explore", "fragile", "--seeds", "21..50"]);
    let saved = saved_case(name);
    let mut file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&saved).unwrap()).unwrap();
    file["case"]["plan"] = serde_json::json!([]);
    let text = serde_json::to_string(&file).unwrap();
    std::fs::write(directory(name).join("edited.json"), &text).unwrap();
    let before = std::fs::read(&saved).unwrap();
    let output = cli(name, &["replay", "edited.json"]);
    assert_eq!(code(&output), 0, "without its fault, the case passes: {}", stdout(&output));
    assert_contains(&stdout(&output), &["a different run: recorded", "by the same executable", "passes"]);
    assert_eq!(before, std::fs::read(&saved).unwrap());
    // The case and its smaller version, the trace beside each, and the page of the smaller one.
    assert_eq!(std::fs::read_dir(directory(name).join("target/squall")).unwrap().count(), 5);
}

#[cfg(not(target_os = "linux"))]
fn interrupt() {}

#[cfg(target_os = "linux")]
fn interrupt() {
    let mut child = command("interrupt")
        .args(["cli", "explore", "computes", "--seeds", "0..8", "--hang-after", "60"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let below = |parents: &[u32]| -> Vec<u32> {
        let pids =
            std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| parent_of(*pid).is_some_and(|parent| parents.contains(&parent))).collect()
    };
    let (zygotes, runs) = wait_for(|| {
        let zygotes = below(&[child.id()]);
        let runs = below(&zygotes);
        (!runs.is_empty()).then_some((zygotes, runs))
    });
    let is_sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(is_sent.success());
    child.wait().unwrap();
    for pid in zygotes.into_iter().chain(runs) {
        wait_for(|| parent_of(pid).is_none().then_some(()));
    }
}

/// The parent of a process; `None` if the process has ended.
#[cfg(target_os = "linux")]
fn parent_of(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("State:")?.starts_with('Z') { None } else { field("PPid:")?.parse().ok() }
}

#[cfg(target_os = "linux")]
fn wait_for<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(value) = condition() {
            return value;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the condition did not hold within 10 s");
}
