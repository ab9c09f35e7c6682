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
    let observed = ["--failed-cas", "found-another-value"];
    assert_eq!(code(&check("etcd/etcd_000.log", "cas-register", &observed)), 1);
    assert_eq!(code(&check("etcd/etcd_002.log", "cas-register", &observed)), 0);
    assert_one_line(&check("etcd/etcd_002.log", "register", &[]), "there is a :cas; use --model cas-register", 2);

    let gave_up = check("kv/c50-ok.txt", "kv", &["--budget", "10"]);
    assert_eq!(code(&gave_up), 3);
    assert_contains(&stdout(&gave_up), &["unknown: the search for an order gave up after 10 configurations"]);

    assert_one_line(&check("kv/c10-ok.txt", "cas-register", &[]), "c10-ok.txt: line 1: `:append` is not :read", 2);
    assert_one_line(&check("etcd/etcd_000.log", "kv", &[]), "etcd_000.log: line 1: `:read` is not :get", 2);
    assert_one_line(&check("missing.txt", "kv", &[]), "missing.txt: No such file", 2);
    std::fs::write(directory(name).join("binary"), [0xff, 0xfe]).unwrap();
    assert_one_line(&cli(name, &["check", "binary", "--model", "kv"]), "binary: this is not a text file", 2);
    assert_one_line(&cli(name, &["check", "binary", "--model", "stack"]), "invalid value 'stack'", 2);
    let damaged = "{:process 0, :type :ok, :f :get, :key \"1\", :value \"\"}\n";
    std::fs::write(directory(name).join("damaged"), damaged).unwrap();
    let expected = "damaged: line 1: process 0 returns although it has no open call";
    assert_one_line(&cli(name, &["check", "damaged", "--model", "kv"]), expected, 2);

    // Every model, with and without another initial value.
    let judged = |model: &str, text: &str, more: &[&str]| {
        std::fs::write(directory(name).join("history.txt"), text).unwrap();
        cli(name, &[&["check", "history.txt", "--model", model], more].concat())
    };
    for (model, text, initial) in [
        ("register", "0 :invoke :read nil\n0 :ok :read 1\n", "1"),
        ("cas-register", "0 :invoke :cas [1 2]\n0 :ok :cas [1 2]\n", "1"),
        ("mutex", "0 :invoke :release nil\n0 :ok :release nil\n", ":held"),
        ("multi-register", "0 :invoke :txn [[:r :x nil]]\n0 :ok :txn [[:r :x 1]]\n", "{:x 1}"),
        ("set", "0 :invoke :read nil\n0 :ok :read #{1}\n", "#{1}"),
        ("queue", "0 :invoke :dequeue nil\n0 :ok :dequeue 1\n", "[1]"),
    ] {
        assert_eq!(code(&judged(model, text, &[])), 1, "{model}");
        assert_eq!(code(&judged(model, text, &["--initial", initial])), 0, "{model}");
        let none = judged(model, &text.replace(":ok", ":info"), &["--initial", initial]);
        assert_eq!(code(&none), 3, "{model}");
        assert_contains(&stdout(&none), &["none of 1 operations returned, so there is nothing to judge"]);
    }
    assert_one_line(&judged("mutex", "0 :invoke :acquire nil\n", &["--independent"]), "--independent is for", 2);
    let keys = "0 :invoke :write [7 1]\n1 :invoke :cas [8 [5 6]]\n0 :ok :write [7 1]\n1 :ok :cas [8 [5 6]]\n";
    let right = judged("cas-register", keys, &["--independent", "--initial", "5"]);
    assert_eq!(code(&right), 0);
    assert_contains(&stdout(&right), &["linearizable: 2 keys, 2 operations, 0 of them with unknown outcomes"]);
    let wrong = judged("cas-register", keys, &["--independent"]);
    assert_eq!(code(&wrong), 1);
    assert_contains(&stdout(&wrong), &["history.txt: key 8: not linearizable", "fail: 1 of 2 keys are linearizable"]);
    // Each read of a pair `[KEY nil]` says so by itself.
    let reads = "0 :invoke :read [7 nil]\n0 :ok :read [7 nil]\n1 :invoke :read [8 nil]\n1 :ok :read [8 1]\n";
    assert_contains(&stdout(&judged("register", reads, &[])), &["key 8: not linearizable"]);
    let none = judged("register", &reads.replace(":ok", ":info"), &[]);
    assert_eq!(code(&none), 3);
    assert_contains(&stdout(&none), &["unknown: none of 2 operations returned"]);

    let wrong =
        [("mutex", "7", "give :held or :free"), ("set", "7", "is not a list"), ("kv", "7", "takes no --initial")];
    for (model, initial, expected) in wrong {
        assert_one_line(&judged(model, "0 :invoke :read nil\n", &["--initial", initial]), expected, 2);
    }
}
