//! What a user gets for wrong input: on the command line, in case files, and in the definition of a scenario. One snapshot
//! holds the line for each, so that all of them can be read at once.

use std::fmt::Write as _;

use squall::check::Check;
use squall::prelude::*;

use crate::{cli, code, directory, forget_cases, saved_case, stderr, stdout};

const COMMANDS: [&[&str]; 28] = [
    &["frobnicate"],
    &["explore", "ecko"],
    &["explore", "zz*"],
    &["explore", "echo", "--seed", "1"],
    &["explore", "echo", "--seeds"],
    &["explore", "echo", "--seeds", "9..5"],
    &["explore", "echo", "--seeds", "x..y"],
    &["explore", "echo", "--seeds", "0..8", "--for", "3s"],
    &["explore", "echo", "--for", "soon"],
    &["explore", "echo", "--for", "0"],
    &["explore", "echo", "--jobs", "0"],
    &["explore", "echo", "--hang-after", "-1"],
    &["explore", "echo", "--shrink-for", "never"],
    &["explore", "echo", "--json", "no/such/directory"],
    &["explore", "idle", "--faults", "flood"],
    &["explore", "idle", "--intensity", "0"],
    &["replay"],
    &["replay", "echo"],
    &["replay", "echo", "--seed", "0xfoo"],
    &["replay", "echo", "--seed", "1", "--until", "later"],
    &["replay", "missing.json"],
    &["replay", "x.json", "--seed", "1"],
    &["replay", "x.json", "--faults", "kill"],
    &["shrink"],
    &["keep", "missing.json"],
    &["sweep", "echo", "--kinds", "flood"],
    &["check", "history.edn"],
    &["check", "history.edn", "--model", "registre"],
];

/// What is replaced in a case file, and by what.
const EDITS: [(&str, &str); 14] = [
    ("\"squall\": 3", "\"squall\": 9"),
    ("\"definition\": \"", "\"definition\": \"z"),
    ("\"fingerprint\": \"", "\"fingerprint\": \"z"),
    ("\"events\": ", "\"events\": 0"),
    ("\"checkpoints\": \"", "\"checkpoints\": \"z"),
    ("\"fail\": ", "\"failed\": "),
    ("\"case\": ", "\"cases\": "),
    ("\"scenario\": \"fragile\"", "\"scenario\": \"fragil\""),
    ("\"seed\": \"", "\"seed\": \"z"),
    ("\"is\": \"kill\"", "\"is\": \"maim\""),
    ("\"at\": \"", "\"at\": \"x"),
    ("\"server\"", "\"sever\""),
    ("\"client\": [", "\"clients\": ["),
    ("\"client\": [", "\"client\": [[7], "),
];

pub fn each_wrong_input_gets_a_line_that_says_what_to_do() {
    let mut all = String::new();
    for arguments in COMMANDS {
        let output = cli("wrong", arguments);
        let line = stderr(&output);
        assert_eq!((line.lines().count(), code(&output)), (1, 2), "{arguments:?}: {line}{}", stdout(&output));
        let _ = writeln!(all, "cargo sims {}\n  {}", arguments.join(" "), line.trim_end());
    }
    let name = "wrong_cases";
    forget_cases(name);
    cli(name, &["explore", "fragile", "--seeds", "21..50"]);
    let whole = std::fs::read_to_string(saved_case(name)).unwrap();
    for (from, to) in EDITS {
        assert!(whole.contains(from), "{from} is not in {whole}");
        std::fs::write(directory(name).join("damaged.json"), whole.replacen(from, to, 1)).unwrap();
        let output = cli(name, &["replay", "damaged.json"]);
        let line = stderr(&output);
        assert_eq!((line.lines().count(), code(&output)), (1, 2), "{to}: {line}{}", stdout(&output));
        let _ = writeln!(all, "{from} -> {to}\n  {}", without_digests(line.trim_end()));
    }
    for (what, scenario) in definitions() {
        let error = scenario.validate().expect_err(what).to_string();
        let problems = error.lines().skip(1).map(str::trim).collect::<Vec<_>>();
        assert!(!problems.is_empty(), "{what}: {error}");
        let _ = writeln!(all, "{what}\n  {}", problems.join("\n  "));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("wrong-inputs", all));
}

/// The line without the digests of a run, which differ from build to build.
fn without_digests(line: &str) -> String {
    let is_digest = |word: &str| {
        word.len() >= 12
            && word.trim_matches(|c: char| !c.is_alphanumeric()).chars().all(|c| c.is_ascii_hexdigit() || c == 'z')
    };
    let plain = |word: &str| if is_digest(word) { "…".to_owned() } else { word.to_owned() };
    line.split(' ').map(plain).collect::<Vec<_>>().join(" ")
}

/// Definitions with one thing wrong each.
fn definitions() -> Vec<(&'static str, Scenario)> {
    let right = || {
        Scenario::new("s")
            .host("server", |_| async {})
            .host("client", |_| async {})
            .check(|_: &Trace, _: &History| Verdict::Pass)
            .run_for(secs(5))
    };
    let check = || Check::new("kept", |_: &Trace, _: &History| Verdict::Pass);
    vec![
        ("a scenario without hosts", Scenario::new("s").check(check()).run_for(secs(5))),
        ("a scenario without checks", Scenario::new("s").host("a", |_| async {}).run_for(secs(5))),
        ("two hosts of one name", right().host("server", |_| async {})),
        ("a host named `localhost`", right().host("localhost", |_| async {})),
        ("a host named by an address", right().host("10.0.0.1", |_| async {})),
        ("two checks of one name", right().check(check()).check(check())),
        (
            "a fault of an unknown host",
            right().fault(fault::kill("sever").once(secs(1)..secs(2)).lasting(secs(1)..secs(2))),
        ),
        ("a loss of twice everything", right().fault(fault::loss(2.0, "client", "server").throughout())),
        (
            "a fault without time to happen",
            right().fault(fault::kill("server").once(secs(1)..secs(2)).lasting(secs(1)..secs(2))).run_for(secs(0)),
        ),
        ("latencies that end before they begin", right().latency(millis(20)..millis(10))),
        ("a step longer than the smallest latency", right().latency(millis(5)..millis(10)).step(millis(50))),
        ("no clients", right().clients("nobody", 0, proptest::strategy::Just(1_u8), async |_: HostContext, _: u8| {})),
    ]
}
