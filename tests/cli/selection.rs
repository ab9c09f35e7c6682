//! The generators that `--faults` selects, and invalid scenarios, which are refused before any run.

use std::process::Output;

use squall::prelude::*;

use crate::{assert_contains, assert_one_line, code, command, directory, stderr, stdout};

/// A second table, so that explorations of the whole first table do not include the invalid scenarios.
pub const SCENARIOS: [fn() -> Scenario; 3] = [tiers, misspells, empty];

/// The names of its generators have common beginnings, and one has a comma in it.
fn tiers() -> Scenario {
    Scenario::new("tiers")
        .hosts("api", 2, |_| async {
            loop {
                tokio::time::sleep(millis(50)).await;
            }
        })
        .host("client", |cx| async move {
            for _ in 0..9 {
                let _ = cx.connector().connect("api-1", 80).await;
                tokio::time::sleep(millis(300)).await;
            }
        })
        .fault(fault::kill("api-1").every(millis(300)..millis(600)))
        .fault(fault::kill("api-1").at_event("client", "started"))
        .fault(fault::kill(["api-1", "api-2"]).every(millis(300)..millis(600)))
        .fault(fault::loss(0.5, "client", "api").throughout())
        .check(|_: &Trace, _: &History| Verdict::Pass)
        .run_for(secs(4))
        .settle_for(secs(1))
}

fn misspells() -> Scenario {
    tiers().renamed("misspells").fault(fault::kill("ap-1")).supervise("clinet", secs(1))
}

fn empty() -> Scenario {
    Scenario::new("empty")
}

fn other_table(name: &str, arguments: &[&str]) -> Output {
    command(name).env("SQUALL_TABLE", "other").arg("cli").args(arguments).output().unwrap()
}

const MISSPELLS: [&str; 3] = [
    "scenario `misspells` cannot be run:\n",
    "  - supervise(`clinet`): no host matches `clinet`; did you mean `client`? (hosts: api-1, api-2, client)\n",
    "  - fault generator `kill ap-1`: no host matches `ap-1`; did you mean `api-1` or `api-2` or `api`? (hosts: api-1, ",
];
const EMPTY: [&str; 3] = ["scenario `empty` cannot be run:\n", "  - it has no host: ", "  - it has no check: "];

pub fn an_invalid_scenario_is_refused_before_any_run() {
    let name = "refused";
    for arguments in [&["list"][..], &["explore"], &[], &["explore", "misspells", "empty"]] {
        let output = other_table(name, arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert_contains(&stderr(&output), &MISSPELLS);
        assert_contains(&stderr(&output), &EMPTY);
        assert!(!stderr(&output).contains("at once"), "{arguments:?}: something was run");
    }
    let alone: [&[&str]; 3] =
        [&["explore", "misspells"], &["replay", "misspells", "--seed", "0"], &["sweep", "misspells"]];
    for arguments in alone {
        let output = other_table(name, arguments);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{arguments:?}");
        assert_contains(&stderr(&output), &MISSPELLS);
    }
    let both = other_table(name, &["explore", "misspells", "--faults", "flood"]);
    assert_contains(&stderr(&both), &MISSPELLS);
    assert_contains(
        &stderr(&both),
        &["no fault generator matches `flood`; there are: kill ap-1; kill api-1; kill api-1 at"],
    );
    assert_eq!(code(&other_table(name, &["explore", "tiers", "--seeds", "0..2"])), 0, "the others can be run");
}

pub fn an_invalid_scenario_fails_only_its_own_test() {
    let as_table = |arguments: &[&str]| {
        command("refused").env("SQUALL_TABLE", "other").env("SQUALL_SEEDS", "2").args(arguments).output().unwrap()
    };
    let output = as_table(&[]);
    assert_ne!(code(&output), 0);
    assert_contains(&stdout(&output), &MISSPELLS);
    assert_contains(&stdout(&output), &["1 passed; 2 failed"]);
}

/// The generators of `tiers` that planned faults in some run, in the scenario's order.
fn planning(flags: &[&str]) -> Vec<&'static str> {
    let arguments = [&["explore", "tiers", "--seeds", "0..8", "--json", "out.json"], flags].concat();
    let output = other_table("selection", &arguments);
    assert_eq!(code(&output), 0, "{flags:?}: {}{}", stdout(&output), stderr(&output));
    let text = std::fs::read_to_string(directory("selection").join("out.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names = ["kill api-1", "kill at", "kill both", "loss"];
    let planned = |index: usize| summary[0]["generators"][index]["planned"].as_u64().unwrap() > 0;
    (0..names.len()).filter(|index| planned(*index)).map(|index| names[index]).collect()
}

pub fn generators_are_selected_by_name_or_kind() {
    let check = |flags: &[&str], expected: &[&str]| assert_eq!(planning(flags), expected, "{flags:?}");
    check(&["--faults", "kill api-1"], &["kill api-1"]);
    check(&["--faults", "kill"], &["kill api-1", "kill at", "kill both"]);
    check(&["--faults", "kill api-1, api-2"], &["kill both"]);
    check(&["--faults", "loss,kill api-1, api-2"], &["kill both", "loss"]);
    check(&["--faults", "kill api-1", "--faults", "loss"], &["kill api-1", "loss"]);
    check(&["--faults", "kill api-1 at an event `started` of client"], &["kill at"]);
    check(&["--faults", "kill api-1 at*, loss"], &["kill at", "loss"]);
    check(&["--faults", "*client"], &["kill at"]);
    let unknown = other_table("selection", &["explore", "tiers", "--faults", "kill,kill api"]);
    assert_one_line(
        &unknown,
        "no fault generator matches `kill api`; there are: kill api-1; kill api-1 at an event",
        2,
    );
    let help = stdout(&other_table("selection", &["explore", "--help"]));
    assert_contains(&help, &["kill api-1, api-2"]);
}
