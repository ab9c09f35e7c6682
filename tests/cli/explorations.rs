//! What an exploration chooses, counts, and writes.

use crate::{assert_contains, cli, code, directory, stderr, stdout};

pub fn never_effective() {
    let output = cli("idle", &["explore", "idle", "--seeds", "0..40"]);
    assert_eq!(code(&output), 1);
    assert_contains(
        &stdout(&output),
        &["FAIL: fault generator `partition server ↔ bystander` was effective only 0 of 40 times"],
    );
    let silent = |flags: &[&str]| stdout(&cli("idle", &[&["explore", "misspelt", "--seeds"], flags].concat()));
    let line = "fault generator `kill server at an event `misspelt` of server` drew no fault in 64 runs";
    assert_contains(&silent(&["0..64"]), &[line]);
    assert!(!silent(&["0..63"]).contains("drew no fault"), "too few to judge");
    assert!(!silent(&["0..64", "--intensity", "1"]).contains("drew no fault"), "selected faults are not judged");
    let few = cli("idle", &["explore", "idle", "--seeds", "0..20"]);
    assert_eq!(code(&few), 0, "too few to judge");
}

pub fn checks_without_anything_to_judge_fail() {
    let output = cli("unexercised", &["explore", "unexercised", "--seeds", "0..6", "--json", "out.json"]);
    assert_eq!(code(&output), 1);
    assert_contains(
        &stdout(&output),
        &[
            "judged 7 in 7 of 7 runs: nothing_is_promised",
            "judged 0 in 0 of 7 runs: nothing crashes twice",
            "FAIL: `nothing crashes twice` judged nothing in 6 runs; what is not exercised is not caught",
        ],
    );
    let text = std::fs::read_to_string(directory("unexercised").join("out.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let idle = serde_json::json!(
        {"check": "nothing crashes twice", "is_optional": false, "judged": 0, "runs": 0, "of_runs": 7}
    );
    assert_eq!(summary[0]["checks"][1], idle);
    let few = cli("unexercised", &["explore", "unexercised", "--seeds", "0..5"]);
    assert_eq!(code(&few), 0);
    assert_contains(&stdout(&few), &["not judged: `nothing crashes twice` had nothing to judge in 5 runs"]);
}

pub fn faults_are_chosen() {
    let planned = |flags: &[&str]| -> Vec<[u64; 2]> {
        let arguments = [&["explore", "echo", "--seeds", "0..24", "--json", "out.json"], flags].concat();
        assert_eq!(code(&cli("faults", &arguments)), 0);
        let text = std::fs::read_to_string(directory("faults").join("out.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
        let outcomes = summary[0]["outcomes"].as_array().unwrap().iter();
        outcomes
            .map(|outcome| [0, 1].map(|generator| outcome["generators"][generator]["planned"].as_u64().unwrap()))
            .collect()
    };
    let kinds = |runs: &[[u64; 2]]| -> std::collections::BTreeSet<[bool; 2]> {
        runs.iter().map(|run| run.map(|planned| planned > 0)).collect()
    };
    assert_eq!(kinds(&planned(&[])), [[false, true], [true, false], [true, true]].into(), "runs differ in kind");
    assert_eq!(kinds(&planned(&["--faults", "loss"])), [[false, true]].into());
    let total = |runs: Vec<[u64; 2]>| runs.iter().map(|run| run[0]).sum::<u64>();
    let kills = |intensity| total(planned(&["--faults", "kill,loss", "--intensity", intensity]));
    let (few, many) = (kills("0.25"), kills("2"));
    assert!(few * 2 < many, "{few} and {many}");
}

pub fn never_reached() {
    let missed = "\"the server was killed\"";
    let output = cli("sometimes", &["explore", "sometimes", "--seeds", "0..6", "--json", "out.json"]);
    assert_eq!(code(&output), 1);
    assert_contains(
        &stdout(&output),
        &[
            &format!("sometimes: FAIL: never reached: {missed} in 6 runs\n"),
            "  reached in 6 of 6 runs: somebody was answered\n",
            "  reached in 0 of 6 runs: the server was killed\n",
        ],
    );
    let text = std::fs::read_to_string(directory("sometimes").join("out.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["status"], "fail");
    assert_eq!(json[0]["sometimes"][0], serde_json::json!({ "situation": "somebody was answered", "runs": 6 }));
    let few = cli("sometimes", &["explore", "sometimes", "--seeds", "0..5"]);
    assert_eq!(code(&few), 0, "too few to judge");
    let line = format!("sometimes: not judged: {missed} was not reached in 5 runs (judged from 6 runs on)\n");
    assert_contains(&stdout(&few), &[&line]);
    assert!(!stdout(&few).contains("not judged: \"somebody"), "a reached situation is always judged");
    let list = cli("sometimes", &["list"]);
    assert_contains(&stdout(&list), &["    sometimes  somebody was answered\n"]);
}

pub fn fingerprints() {
    let write = |file: &str, jobs: &str| {
        let arguments = ["explore", "echo", "fragile", "--keep-going", "--seeds", "0..40", "--jobs", jobs];
        cli("fingerprints", &[&arguments[..], &["--fingerprints", file]].concat());
        std::fs::read_to_string(directory("fingerprints").join(file)).unwrap()
    };
    let first = write("one", "1");
    assert_eq!(first.lines().count(), 80);
    let line = first.lines().nth(5).unwrap();
    assert!(line.starts_with("echo 0x5 "), "{line}");
    assert_eq!(first, write("two", "2"));
    assert_eq!(first, write("again", "2"));
}

pub fn json() {
    let output = cli("json", &["explore", "echo", "--seeds", "3..5", "--json", "out.json"]);
    assert_eq!(code(&output), 0);
    let text = std::fs::read_to_string(directory("json").join("out.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["scenario"], "echo");
    assert_eq!(json[0]["outcomes"][1]["seed"], "0x4");
    assert_eq!(json[0]["outcomes"][1]["verdict"], "pass");
}

pub fn scenarios_are_chosen_by_pattern() {
    let output = cli("pattern", &["explore", "e*o", "idl*", "echo", "--seeds", "0..1"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let table = stdout(&output);
    assert_eq!(table.matches("0x0..0x1").count(), 2, "each is explored once: {table}");
    // In a pipe, each scenario that is over has a line.
    assert_contains(&stderr(&output), &["echo: pass, 1 run in ", "idle: pass, 1 run in "]);
}

pub fn a_check_that_panics() {
    let output = cli("careless", &["explore", "careless", "--seeds", "0..4"]);
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    let expected = "the check itself panicked at tests/cli/table.rs:";
    assert_contains(&stdout(&output), &["the first answer is right", expected, ": somebody asked"]);
}

/// Starts a command and, once `is_time`, interrupts the whole group of its processes, as a terminal does it. `is_time` is
/// given what the command has said on standard error so far.
#[cfg(unix)]
pub fn interrupt(command: &mut std::process::Command, is_time: impl Fn(&str) -> bool) -> std::process::Output {
    use std::os::unix::process::CommandExt;
    let said = tempfile::NamedTempFile::new().unwrap();
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(said.reopen().unwrap()).process_group(0).spawn().unwrap();
    while !is_time(&std::fs::read_to_string(said.path()).unwrap()) {
        assert!(child.try_wait().unwrap().is_none(), "it was over before it could be interrupted");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let group = format!("-{}", child.id());
    assert!(std::process::Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let mut output = child.wait_with_output().unwrap();
    output.stderr = std::fs::read(said.path()).unwrap();
    assert_eq!(code(&output), 130, "{}{}", stdout(&output), stderr(&output));
    output
}

#[cfg(unix)]
pub fn interrupted() {
    let began = std::time::Instant::now();
    let mut command = crate::command("interrupted");
    command.args(["cli", "explore", "echo", "day", "--for", "10m"]);
    let output = interrupt(&mut command, |_| began.elapsed().as_secs() >= 3);
    assert!(began.elapsed().as_secs() < 30, "it ended {:?} after it began", began.elapsed());
    assert_contains(&stdout(&output), &["scenario", "echo", "echo: note: interrupted after "]);
    assert!(!stdout(&output).contains("FAILED"), "{}", stdout(&output));
}

#[cfg(not(unix))]
pub fn interrupted() {}
