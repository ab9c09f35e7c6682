//! `cargo sims keep` and `cargo sims rust`: a failing case is kept in the project and runs first, or is printed as a
//! test.

use std::path::PathBuf;

use crate::{assert_contains, assert_one_line, cli, code, command, directory, forget_cases, stdout};

/// A project in which `fragile` has failed; returns where its case was saved.
fn failed(name: &str) -> PathBuf {
    forget_cases(name);
    let _ = std::fs::remove_dir_all(directory(name).join("sims"));
    std::fs::write(directory(name).join("Cargo.toml"), "").unwrap();
    let output = cli(name, &["explore", "fragile", "--seeds", "21..50"]);
    let text = stdout(&output);
    let line = text.lines().find_map(|line| line.strip_prefix("case: ")).expect("a case was saved");
    PathBuf::from(line)
}

pub fn a_kept_case_runs_first() {
    let name = "kept";
    let case = failed(name);
    let file = case.file_name().unwrap().to_str().unwrap();
    // A kept case is named after its scenario and seed, even if it was shrunk.
    let kept = format!("sims/regressions/fragile/{}", file.replace("-shrunk", ""));
    let output = cli(name, &["keep", case.to_str().unwrap()]);
    assert_eq!(code(&output), 0);
    let moved = format!("moved {} to {kept}: from now on it runs first and must pass\n", case.display());
    assert_eq!(stdout(&output), moved);
    let (from, to) = (directory(name).join(&case), directory(name).join(&kept));
    assert!(!from.exists() && !from.with_extension("trace").exists() && to.exists());

    // The promise is still broken.
    let output = cli(name, &["explore", "fragile", "--seeds", "1000..1001"]);
    assert_eq!(code(&output), 1);
    let replay = format!("replay: cargo sims replay {kept}\n");
    assert_contains(&stdout(&output), &["FAILED: fragile", &replay, "regressions: 1 of 1 kept case did not pass\n"]);
    assert_eq!(code(&cli(name, &["explore", "echo", "--seeds", "0..1"])), 0, "that is another scenario's case");
    let test = format!("fragile::regression::{}", to.file_stem().unwrap().to_str().unwrap());
    let as_test = |test: &str| command(name).env("SQUALL_TABLE", "1").args([test, "--exact"]).output().unwrap();
    let output = as_test(&test);
    assert_ne!(code(&output), 0);
    assert_contains(&stdout(&output), &["1 failed", &replay]);

    // Now the mistake is fixed.
    let mut text: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&to).unwrap()).unwrap();
    text["case"]["plan"] = serde_json::json!([]);
    std::fs::write(&to, text.to_string()).unwrap();
    let output = cli(name, &["explore", "fragile", "echo", "--seeds", "1000..1001"]);
    assert_contains(&stdout(&output), &["regressions: 1 kept case passes\n"]);
    let list = command(name).env("SQUALL_TABLE", "1").args(["--list"]).output().unwrap();
    assert!(stdout(&list).starts_with(&format!("{test}: test\n")), "kept cases come first: {}", stdout(&list));
    assert_contains(&stdout(&as_test(&test)), &["1 passed"]);
}

pub fn keeping_overwrites_no_other_case() {
    let name = "keeping";
    let case = failed(name);
    let case = case.to_str().unwrap();
    let file = std::fs::read(directory(name).join(case)).unwrap();
    assert_eq!(code(&cli(name, &["keep", case])), 0);
    std::fs::write(directory(name).join(case), &file).unwrap();
    let again = cli(name, &["keep", case]);
    assert_eq!(code(&again), 0);
    assert_contains(&stdout(&again), &["already holds this case"]);
    assert!(!directory(name).join(case).exists());

    let other = String::from_utf8(file).unwrap().replacen("\"lasting\": \"", "\"lasting\": \"1", 1);
    std::fs::write(directory(name).join(case), other).unwrap();
    assert_one_line(&cli(name, &["keep", case]), "already holds another case: keep ", 2);
    assert!(directory(name).join(case).exists());
    let elsewhere = cli(name, &["keep", case, "--to", "sims/regressions/more"]);
    assert_contains(&stdout(&elsewhere), &["to sims/regressions/more/fragile-0x"]);
    let both = cli(name, &["explore", "fragile", "--seeds", "1000..1001"]);
    assert_contains(&stdout(&both), &["of 2 kept cases did not pass\n"]);
    assert_one_line(&cli(name, &["keep", "missing.json"]), "missing.json: No such file", 2);
}

pub fn a_kept_case_that_passes_by_luck_is_not_deterministic() {
    let name = "lucky";
    forget_cases(name);
    let _ = std::fs::remove_dir_all(directory(name).join("sims"));
    std::fs::write(directory(name).join("Cargo.toml"), "").unwrap();
    let output = cli(name, &["explore", "differs", "--seeds", "0..1"]);
    assert_eq!(code(&output), 3);
    let text = stdout(&output);
    let case = text.lines().find_map(|line| line.strip_prefix("case: ")).expect("a case was saved");
    assert_eq!(code(&cli(name, &["keep", case])), 0);
    let test = command(name).env("SQUALL_TABLE", "1").arg("differs::regression").output().unwrap();
    assert_contains(&stdout(&test), &["1 failed", "NOT DETERMINISTIC: differs", "process (/bin/sh)"]);
}

pub fn a_kept_case_that_cannot_run_is_reported_in_one_line() {
    let name = "unfit";
    let case = failed(name);
    assert_eq!(code(&cli(name, &["keep", case.to_str().unwrap()])), 0);
    let kept = directory(name).join("sims/regressions/fragile/fragile-0x15.json");
    let whole = std::fs::read_to_string(&kept).unwrap();
    let explore = |arguments: &[&str]| cli(name, &[&["explore", "--seeds", "0..1"], arguments].concat());
    for (from, to, expected) in [
        ("\"server\"", "\"sever\"", "the scenario has no host named `sever`"),
        ("\"scenario\": \"fragile\"", "\"scenario\": \"brittle\"", "no scenario is named `brittle`"),
        ("\"squall\": 3", "\"squall\": 2", "the case format is 2, and this build reads 3"),
    ] {
        std::fs::write(&kept, whole.replacen(from, to, 1)).unwrap();
        for arguments in [&[][..], &["fragile"]] {
            let output = explore(arguments);
            assert_eq!(code(&output), 2);
            let text = crate::stderr(&output);
            let line = text.lines().last().unwrap();
            assert_contains(line, &["cargo sims: sims/regressions/fragile/fragile-0x", expected]);
            assert_eq!(text.lines().count(), 2, "one line of seeds and one line with the error: {text}");
        }
        assert_eq!(code(&explore(&["echo"])), 0);
        let test = command(name).env("SQUALL_TABLE", "1").arg("fragile::regression").output().unwrap();
        assert_contains(&stdout(&test), &["1 failed", expected]);
    }
}

pub fn a_case_is_printed_as_a_test() {
    let name = "printed";
    let case = failed(name);
    let output = cli(name, &["rust", case.to_str().unwrap()]);
    assert_eq!(code(&output), 0);
    let parts = [
        "/// `fragile`, seed 0x",
        ", fails: no answer to ",
        "#[test]\nfn fragile_0x",
        "    let case = Case::new(\"fragile\", Seed(0x",
        ".fault(fault::kill([\"server\"]).at(millis(",
        ".input(\"client\", r#\"[",
        "    fragile().assert_case_passes(case);\n}\n",
    ];
    assert_contains(&stdout(&output), &parts);
    assert_one_line(&cli(name, &["rust", "missing.json"]), "missing.json: No such file", 2);
}
