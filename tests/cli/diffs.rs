//! `cargo sims diff`: two runs side by side.

use std::fs;

use crate::{assert_contains, assert_one_line, cli, code, directory, forget_cases, saved_case, stderr, stdout};

pub fn two_runs_stand_side_by_side() {
    let name = "diff";
    forget_cases(name);
    cli(name, &["explore", "fragile", "--seeds", "21..50"]);
    let case = saved_case(name);
    let path = case.to_str().unwrap();

    // The recorded run and the one of now.
    let output = cli(name, &["diff", path]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let parts =
        ["A  fragile, seed 0x", ", recorded: fail", "B  fragile, seed 0x", ", now: fail", "the runs are the same ("];
    assert_contains(&stdout(&output), &parts);

    // The same case without its faults.
    let text = fs::read_to_string(&case).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&text).unwrap();
    let faults = std::mem::replace(&mut other["case"]["plan"], serde_json::json!([]));
    assert!(faults.as_array().is_some_and(|faults| !faults.is_empty()), "{text}");
    let passing = directory(name).join("passing.json");
    fs::write(&passing, other.to_string()).unwrap();
    let output = cli(name, &["diff", path, "passing.json", "--html", "both.html"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    let parts = [
        ", fail",
        ", pass",
        "faults only in A: kill server",
        "the runs are the same until ",
        " in both)\n",
        "server is killed",
        "page: both.html\n",
    ];
    assert_contains(&text, &parts);
    assert!(!text.contains("faults only in B"), "{text}");
    let rows: Vec<&str> = text.lines().skip_while(|line| !line.trim_start().starts_with("time ")).skip(1).collect();
    let begins = rows.iter().find(|row| row.contains("kill server")).expect("the fault has a row");
    assert!(begins.contains('<'), "only the first run has it: {begins}");
    assert!(rows.iter().any(|row| row.contains('=')) && rows.iter().any(|row| row.contains('>')), "{text}");

    let page = fs::read_to_string(directory(name).join("both.html")).unwrap();
    assert_eq!(page.matches("id=\"parting\"").count(), 1, "one row is where they part");
    assert_contains(&page, &["<tr class=\"left\"", "<tr class=\"both\"", "server is killed"]);
    assert!(!page.contains("<script") && !page.contains("http"), "it needs no script and no network");
}

pub fn runs_that_cannot_be_compared_are_refused() {
    let name = "diff_refused";
    forget_cases(name);
    cli(name, &["explore", "fragile", "--seeds", "21..50"]);
    let fragile = saved_case(name);
    let path = fragile.to_str().unwrap();
    assert_one_line(&cli(name, &["diff", "nothing.json"]), "nothing.json: No such file", 2);
    fs::remove_file(fragile.with_extension("trace")).unwrap();
    assert_one_line(&cli(name, &["diff", path]), "no trace of the recorded run is beside", 2);
    let kept = directory(name).join("fragile.json");
    fs::rename(&fragile, &kept).unwrap();
    forget_cases(name);
    cli(name, &["explore", "panics", "--seeds", "0..20", "--shrink-for", "0"]);
    let other = saved_case(name);
    let output = cli(name, &["diff", "fragile.json", other.to_str().unwrap()]);
    assert_one_line(&output, "these are cases of two scenarios, `fragile` and `panics`", 2);
}
