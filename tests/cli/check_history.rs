//! `cargo sims check`: histories that were recorded elsewhere.

use std::path::Path;

use super::{assert_contains, assert_one_line, cli, code, directory, stdout};

pub fn a_history_from_elsewhere_is_judged() {
    let name = "check-history";
    let histories = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    let check = |file: &str, model: &str, more: &[&str]| {
        let file = histories.join(file);
        cli(name, &[&["check", file.to_str().unwrap(), "--model", model], more].concat())
    };
    let right = check("kv/c10-ok.txt", "kv", &[]);
    assert_eq!(code(&right), 0);
    assert_contains(&stdout(&right), &["c10-ok.txt: linearizable: 337 operations, 0 of them with unknown outcomes"]);

    let wrong = check("kv/c01-bad.txt", "kv", &[]);
    assert_eq!(code(&wrong), 1);
    let parts =
        ["c01-bad.txt: not linearizable (key \"", "the longest order, ", "it cannot return Text(", "these suffice"];
    assert_contains(&stdout(&wrong), &parts);
    assert_eq!(code(&check("etcd/etcd_000.log", "cas-register", &[])), 1);
    assert_eq!(code(&check("etcd/etcd_002.log", "cas-register", &[])), 0);

    let gave_up = check("kv/c50-ok.txt", "kv", &["--budget", "10"]);
    assert_eq!(code(&gave_up), 3);
    assert_contains(&stdout(&gave_up), &["unknown: the search for an order gave up after 10 configurations"]);

    assert_one_line(&check("kv/c10-ok.txt", "cas-register", &[]), "c10-ok.txt: line 1: `{:process", 2);
    assert_one_line(&check("etcd/etcd_000.log", "kv", &[]), "etcd_000.log: line 1: ", 2);
    assert_one_line(&check("missing.txt", "kv", &[]), "missing.txt: No such file", 2);
    std::fs::write(directory(name).join("binary"), [0xff, 0xfe]).unwrap();
    assert_one_line(&cli(name, &["check", "binary", "--model", "kv"]), "binary: this is not a text file", 2);
    assert_one_line(&cli(name, &["check", "binary", "--model", "stack"]), "invalid value 'stack'", 2);
    let damaged = "{:process 0, :type :ok, :f :get, :key \"1\", :value \"\"}\n";
    std::fs::write(directory(name).join("damaged"), damaged).unwrap();
    let expected = "damaged: line 1: process 0 returns although it has no open call";
    assert_one_line(&cli(name, &["check", "damaged", "--model", "kv"]), expected, 2);
}
