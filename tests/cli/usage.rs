//! What a user types: mistakes, help, the environment, and damaged files.

use std::process::Stdio;

use crate::{
    assert_contains, assert_one_line, cli, code, command, directory, forget_cases, saved_case, stderr, stdout,
};

pub fn bad_usage() {
    let lines: [(&[&str], &str); 15] = [
        (&["explore", "ecko"], "no scenario is named `ecko`; did you mean `echo`?"),
        (&["explore", "echo", "--seeds", "9..5"], "the range of seeds `9..5` is empty"),
        (&["explore", "echo", "--seeds", "5..5"], "the range of seeds `5..5` is empty"),
        (&["explore", "echo", "--seeds", "x..y"], "`x` is not a seed"),
        (&["explore", "echo", "--jobs", "0"], "at least 1"),
        (&["explore", "echo", "--for", "soon"], "expected a time such as 60s or 5m"),
        (&["explore", "echo", "--json", "no/such/directory"], "no/such/directory: No such file"),
        (&["replay", "echo"], "which seed of `echo`?"),
        (&["replay", "echo", "--seed", "0xfoo"], "`0xfoo` is not a seed"),
        (&["replay", "missing.json"], "missing.json: No such file"),
        (
            &["explore", "idle", "--faults", "flood"],
            "no fault generator matches `flood`; there are: partition server ↔ bystander",
        ),
        (&["explore", "idle", "--intensity", "0"], "`0` is not an intensity: give a number between 0.01 and 10"),
        (&["replay", "idle", "--seed", "0", "--faults", "loss"], "no fault generator matches `loss`"),
        (&["replay", "x.json", "--faults", "kill"], "a case file has its own faults"),
        (&["frobnicate"], "no scenario is named `frobnicate`"),
    ];
    for (arguments, expected) in lines {
        assert_one_line(&cli("usage", arguments), expected, 2);
    }
}

pub fn damaged_files() {
    let name = "damaged";
    forget_cases(name);
    cli(name, &["explore", "fragile", "--seeds", "21..50"]);
    let whole = std::fs::read_to_string(saved_case(name)).unwrap();
    let check = |from: &str, to: &str, expected: &str| {
        assert!(whole.contains(from), "{from} is not in {whole}");
        std::fs::write(directory(name).join("damaged.json"), whole.replacen(from, to, 1)).unwrap();
        assert_one_line(&cli(name, &["replay", "damaged.json"]), expected, 2);
    };
    check("\"squall\": 3", "\"squall\": 9", "damaged.json: squall: the case format is 9, and this build reads 3");
    check("\"version\": ", "\"version\": 7, \"x\": ", "version: invalid type: integer `7`");
    check("\"definition\": \"", "\"definition\": \"z", "definition: `z");
    check("\"fingerprint\": \"", "\"fingerprint\": \"z", "fingerprint: `z");
    check("\"events\": ", "\"events\": 0", "this is not JSON");
    check("\"events\": ", "\"events\": 1, \"x\": ", "unknown field `x`");
    check("\"events\": ", "\"events\": -", "events: invalid value: integer `-");
    check("\"checkpoints\": \"", "\"checkpoints\": \"000000", "checkpoints: they are not those of a run of ");
    check("\"checkpoints\": \"", "\"checkpoints\": \"z", "checkpoints: `z");
    check("\"fail\": ", "\"failed\": ", "unknown variant `failed`");
    check("\"case\": ", "\"cases\": ", "cases: unknown field `cases`");
    check("\"scenario\": \"fragile\"", "\"scenario\": \"fragil\"", "did you mean `fragile`?");
    check("\"seed\": \"", "\"seed\": \"z", "case.seed: `z");
    check("\"is\": \"kill\"", "\"is\": \"maim\"", "unknown variant `maim`");
    check("\"at\": \"", "\"at\": \"x", "case.plan[0].trigger.at: `x");
    check("\"generator\": \"", "\"generator\": 7, \"x\": \"", "case.plan[0].generator: invalid type: integer `7`");
    check("\"server\"", "\"sever\"", "the scenario has no host named `sever`");
    check("\"lasting\": \"", "\"lasting\": \"x", "case.plan[0].lasting");
    check("\"client\": [", "\"clients\": [", "the scenario has no clients named `clients`");
    check(
        "\"client\": [",
        "\"client\": [[7], ",
        "case.input.client: there is input for 2 clients, but the scenario has 1",
    );
    check("\"client\": [", "\"client\": [\"seven\"], \"x\": [", "case.input.client[0]: invalid type: string \"seven\"");
    check(
        "\"names\": [\"server\"]",
        "\"one\": \"sever\"",
        "no host of the scenario matches `one of sever`: name a host",
    );
    check("\"build\": ", "\"built\": ", "unknown field `built`");
    std::fs::write(directory(name).join("damaged.json"), &whole[..whole.len() / 2]).unwrap();
    assert_one_line(&cli(name, &["replay", "damaged.json"]), "the file is cut off", 2);
    std::fs::write(directory(name).join("damaged.json"), [0xff, 0xfe]).unwrap();
    assert_one_line(&cli(name, &["replay", "damaged.json"]), "not a text file", 2);
}

pub fn seeds_from_environment() {
    let explore =
        |seeds: &str| command("seeds").env("SQUALL_SEEDS", seeds).args(["cli", "explore", "echo"]).output().unwrap();
    assert_contains(&stderr(&explore("5")), &["seeds 0x0..0x5"]);
    assert_contains(&stderr(&explore("0x10..0x12")), &["seeds 0x10..0x12"]);
    assert_one_line(&explore("many"), "SQUALL_SEEDS: `many` is not a seed", 2);
}

pub fn help() {
    for arguments in [&["--help"][..], &["explore", "--help"], &["replay", "--help"]] {
        let output = cli("help", arguments);
        assert_eq!(code(&output), 0);
        assert_contains(&stdout(&output), &["Usage: cargo sims"]);
    }
}

pub fn catalog() {
    let output = cli("catalog", &["faults"]);
    assert_eq!(code(&output), 0);
    let bandwidth = "\nbandwidth             fault::bandwidth(bytes_per_second, queue_bytes, from, to)\n";
    let queue = "      queue_bytes       bytes that may wait in the queue; beyond it, segments are lost\n";
    assert_contains(&stdout(&output), &[bandwidth, queue, "\nswizzle               fault::swizzle(hosts)\n"]);
    let (blackhole, looping) = (
        "\ndns blackhole         fault::dns_blackhole(from, to)\n",
        "\nrestart loop          fault::restart_loop(times, up, hosts)\n",
    );
    assert_contains(
        &stdout(&output),
        &[blackhole, looping, "in_flight      unanswered requests on accepted connections at which it dies"],
    );
    assert!(stdout(&output).lines().all(|line| line.chars().count() <= 120), "{}", stdout(&output));
}

pub fn broken_pipe() {
    let mut child = command("pipe")
        .args(["cli", "replay", "echo", "--seed", "0", "--trace"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).contains("panicked")), (0, false), "{}", stderr(&output));
}

/// Bash, with the script of this table, completes what stands before the cursor.
pub fn completions() {
    let script = stdout(&cli("completions", &["completions", "bash"]));
    let completed = |words: &str| {
        let line = format!(
            "{script}\nCOMP_WORDS=(sims {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _sims sims \
             \"${{COMP_WORDS[COMP_CWORD]}}\" x; echo \"${{COMPREPLY[*]}}\""
        );
        let output = std::process::Command::new("bash").args(["--norc", "-c", &line]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        stdout(&output).trim().to_owned()
    };
    assert_eq!(completed("expl"), "explore");
    assert_eq!(completed("explore mis"), "misspelt", "the scenarios of the table");
    assert!(completed("explore --se").contains("--seeds"));
    assert!(script.starts_with("sims() { cargo sims \"$@\"; }\n"), "{script}");
    assert_contains(&stdout(&cli("completions", &["completions", "zsh"])), &["#compdef sims", "misspelt"]);
    // In fish, clap completes no arguments without a flag.
    assert_contains(&stdout(&cli("completions", &["completions", "fish"])), &["complete -c sims", "explore"]);
    assert_one_line(&cli("completions", &["completions", "tcsh"]), "possible values: bash", 2);
}
