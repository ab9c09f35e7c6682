//! Failures that are shrunk, by an exploration and by `cargo sims shrink`, and GitHub's annotations for failures.

use crate::{assert_contains, assert_one_line, cli, code, command, directory, forget_cases, stderr, stdout};

const FOUND: &str = "target/squall/fragile-0x15.json";
const SHRUNK: &str = "target/squall/fragile-0x15-shrunk.json";

pub fn a_saved_case_can_be_shrunk_later() {
    let name = "smaller";
    forget_cases(name);
    let output = cli(name, &["explore", "fragile", "--seeds", "21..22", "--shrink-for", "0", "--explain-for", "0"]);
    assert_eq!(code(&output), 1);
    assert_contains(&stdout(&output), &[&format!("case: {FOUND}\n"), &format!("replay: cargo sims replay {FOUND}\n")]);
    assert!(!stdout(&output).contains("shrunk") && !stdout(&output).contains("why"), "{}", stdout(&output));
    assert!(!directory(name).join(SHRUNK).exists());

    let output = cli(name, &["shrink", FOUND, "--for", "60s"]);
    assert_eq!(code(&output), 1, "the promise is still broken: {}", stderr(&output));
    let parts =
        ["shrunk from 1 fault and 5 operations\n       to 1 fault and 4 operations", "Without f1 the run passes."];
    assert_contains(&stdout(&output), &parts);
    assert_contains(&stdout(&output), &[&format!("replay: cargo sims replay {SHRUNK}\n")]);
    let replay = cli(name, &["replay", SHRUNK, "--why"]);
    assert_contains(&stdout(&replay), &["the same run: recorded", "Without f1 the run passes."]);
    // A case that is already shrunk stays in its own file.
    let again = cli(name, &["shrink", SHRUNK, "--for", "60s", "--jobs", "1"]);
    assert_contains(
        &stdout(&again),
        &["to 1 fault and 4 operations", &format!("replay: cargo sims replay {SHRUNK}\n")],
    );
    let elsewhere = cli(name, &["shrink", FOUND, "--for", "60s", "--runs", "3", "--to", "target/few.json"]);
    assert_contains(&stdout(&elsewhere), &["replay: cargo sims replay target/few.json\n"]);
}

pub fn a_passing_case_is_not_shrunk() {
    let name = "passes";
    forget_cases(name);
    cli(name, &["explore", "fragile", "--seeds", "21..22", "--shrink-for", "0", "--explain-for", "0"]);
    let path = directory(name).join(FOUND);
    let mut file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    file["case"]["plan"] = serde_json::json!([]);
    std::fs::write(&path, file.to_string()).unwrap();
    let output = cli(name, &["shrink", FOUND]);
    assert_eq!(code(&output), 0);
    let refusal = format!("{FOUND}: pass: only a case that breaks a promise in every run can be shrunk\n");
    assert_eq!(stdout(&output), refusal);
    assert_one_line(&cli(name, &["shrink", "missing.json"]), "missing.json: No such file", 2);
    assert_one_line(&cli(name, &["shrink", FOUND, "--for", "0s"]), "expected a time such as 60s or 5m", 2);
    assert_one_line(&cli(name, &["explore", "--shrink-for", "soon"]), "expected a time such as 60s or 5m", 2);
}

pub fn failures_are_annotations_on_github() {
    let name = "github";
    let explore = |on: &str| {
        let arguments = ["cli", "explore", "fragile", "--seeds", "21..22", "--shrink-for", "0", "--explain-for", "0"];
        stdout(&command(name).env("GITHUB_ACTIONS", on).env("CI", on).args(arguments).output().unwrap())
    };
    let text = explore("true");
    let line = text.lines().find(|line| line.starts_with("::error ")).expect("an annotation");
    assert_contains(
        line,
        &["file=tests/cli/table.rs,line=", "title=fragile%3A seed 0x15::every_answer_comes: no answer"],
    );
    assert!(!text.contains('\u{1b}'), "no colours: {text}");
    assert!(!explore("false").contains("::error"));
}
