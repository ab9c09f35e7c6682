//! Replays: the same run, a different run and where it diverges, a part of the timeline, and a stop in a debugger.

use std::process::Command;

use crate::{assert_contains, assert_one_line, cli, code, directory, forget_cases, saved_case, stdout};

/// Sets the tick from which on `drifts` behaves differently, which stands for a change of its code.
fn drift_from(tick: u32) {
    std::fs::write(crate::table::DRIFT, tick.to_string()).unwrap();
}

pub fn a_replay_shows_where_it_diverges() {
    let name = "drifts";
    forget_cases(name);
    drift_from(1_000);
    assert_eq!(code(&cli(name, &["explore", "drifts", "--seeds", "0..1"])), 1);
    // The control fails as well, and runs first.
    let case = "target/squall/drifts-0x0-control.json";
    let replay = || stdout(&cli(name, &["replay", case]));
    assert_contains(&replay(), &["the same run: recorded"]);
    drift_from(120);
    let changed = replay();
    let parts = [
        "a different run: recorded",
        "by the same executable",
        ", at 1.200000s:\n    both      ",
        "1.190000s server Note { name: \"tick 119\", detail: \"as before\" }\n    recorded  ",
        "1.200000s server Note { name: \"tick 120\", detail: \"as before\" }\n    now       ",
        "1.200000s server Note { name: \"tick 120\", detail: \"drifted\" }\n",
    ];
    assert_contains(&changed, &parts);
    let number = |text: &str, before: &str| -> usize {
        let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("no `{before}` in {text}"));
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    let event = number(&changed, "the runs diverge at event ");

    // Without the trace, the checkpoints in the case narrow it down to a range of events.
    std::fs::remove_file(directory(name).join(case).with_extension("trace")).unwrap();
    let roughly = replay();
    let (after, by) = (number(&roughly, "the runs diverge between event "), number(&roughly, " and event "));
    assert!(after < event && event <= by && by - after < 10, "{event} is not within {after}..={by}");
    assert_contains(
        &roughly,
        &["    now           1.200000s server Note { name: \"tick 120\", detail: \"drifted\" }\n"],
    );
    drift_from(1_000);
    assert_contains(&replay(), &["the same run: recorded"]);
}

pub fn runs_that_died_are_compared_by_their_ends() {
    let name = "ends";
    forget_cases(name);
    cli(name, &["explore", "aborts", "--seeds", "0..16", "--shrink-for", "0", "--explain-for", "0"]);
    let saved = saved_case(name);
    let replay = || stdout(&cli(name, &["replay", saved.to_str().unwrap()]));
    let end = "the same end: recorded by the same executable; fail: the program aborted (signal 6) on host server at ";
    assert_contains(&replay(), &[end]);
    let text = std::fs::read_to_string(&saved).unwrap();
    std::fs::write(&saved, text.replacen("the program aborted", "the program was tired", 1)).unwrap();
    let other =
        "a different end: recorded by the same executable: fail: the program was tired (signal 6) on host server at ";
    assert_contains(&replay(), &[other, "; now fail: the program aborted (signal 6) on host server at "]);
}

pub fn a_changed_definition_or_version_is_reported() {
    let name = "redefined";
    forget_cases(name);
    cli(name, &["explore", "fragile", "--seeds", "0..50"]);
    let saved = std::fs::read_to_string(saved_case(name)).unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&saved).unwrap();
    file["definition"] = "0123456789abcdef".into();
    file["version"] = "0.0.7".into();
    std::fs::write(directory(name).join("old.json"), file.to_string()).unwrap();
    let output = cli(name, &["replay", "old.json"]);
    assert_eq!(code(&output), 1);
    let parts = [
        "the same run: recorded",
        "the scenario's definition has changed: its hosts,",
        "(digest 0123456789abcdef, now ",
        "the version of Squall has changed: recorded by 0.0.7, now ",
    ];
    assert_contains(&stdout(&output), &parts);
}

pub fn the_timeline_ends_at_the_given_time() {
    let timeline =
        |arguments: &[&str]| stdout(&cli("until", &[&["replay", "echo", "--seed", "0"], arguments].concat()));
    let whole = timeline(&["--trace"]);
    assert_contains(&whole, &["lanes: a server, b client", "the faults are over"]);
    for arguments in [&["--until", "1.5s"][..], &["--trace", "--until", "1500ms"]] {
        let part = timeline(arguments);
        assert_contains(&part, &["lanes: a server, b client"]);
        let times = part.lines().filter_map(|line| line.trim_start().split_once("s  ")?.0.parse::<f64>().ok());
        let times: Vec<f64> = times.collect();
        assert!(times.len() > 3 && times.iter().all(|at| *at <= 1.5), "{part}");
        assert!(part.lines().count() < whole.lines().count());
    }
    assert_one_line(&cli("until", &["replay", "echo", "--seed", "0", "--until", "soon"]), "such as 3.2s or 300ms", 2);
}

pub fn a_run_without_a_debugger_does_not_stop() {
    let report = |pattern: &str| {
        let output = cli("breaks", &["replay", "sometimes", "--seed", "0", "--break-on", pattern]);
        assert_eq!(code(&output), 0);
        stdout(&output)
    };
    let line = "--break-on \"greeting\": no debugger is attached, so the run does not stop at ";
    assert_contains(&report("greeting"), &[line, "sometimes, seed 0x0: passes"]);
    assert_contains(&report("server:greeting"), &["does not stop at 0.000000s server Note { name: \"greeting\""]);
    assert_contains(&report("nobody:greeting"), &["--break-on \"nobody:greeting\": no event matches\n", "passes"]);
}

/// The debugger shows the code under test in the backtrace.
pub fn a_debugger_stops_in_the_code_under_test() {
    if !Command::new("gdb").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: gdb is not installed, so stopping in a debugger has not been tested");
        return;
    }
    let executable = std::env::current_exe().unwrap();
    let output = Command::new("gdb")
        .args(["-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex", "set follow-fork-mode child"])
        .args(["-ex", "run", "-ex", "backtrace", "-ex", "continue", "--args"])
        .arg(executable)
        .args(["cli", "replay", "sometimes", "--seed", "0", "--break-on", "server:greeting"])
        .current_dir(directory("debugged"))
        .env("CARGO_MANIFEST_DIR", directory("debugged"))
        .output()
        .unwrap();
    let text = stdout(&output) + &crate::stderr(&output);
    assert_contains(&text, &["received signal SIGTRAP", "greet", "tests/cli/table.rs", "trap_if_debugged"]);
    assert_contains(&text, &["--break-on \"server:greeting\": stopped for the debugger at 0.000000s server Note"]);
    assert_contains(&text, &["sometimes, seed 0x0: passes"]);
}
