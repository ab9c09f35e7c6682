//! Tests of the linearizability checker against known verdicts and a brute-force checker, with proofs of its answers.

#[path = "linear/brute.rs"]
mod brute;
#[path = "linear/generate.rs"]
mod generate;
#[path = "linear/reading.rs"]
mod reading;

use std::path::{Path, PathBuf};

use squall::check::linear::models::*;
use squall::check::linear::read::{self, Datum, FailedCas};
use squall::check::linear::{
    HistoryEntry, InvalidHistory, Judgement, Model, SearchOptions, TypedHistory, judge, linearizable,
};
use squall::check::{self, Verdict};
use squall::history::{Completion, History as RunHistory, Operation};
use squall::prelude::{Seed, Trace, millis, secs};
use squall::trace::HostId;

use generate::{Draw, Mistake, small_register};

fn histories() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories")
}

/// All files with known verdicts: the path, and whether the history is linearizable.
fn known() -> Vec<(PathBuf, bool)> {
    let table = std::fs::read_to_string(histories().join("verdicts.csv")).unwrap();
    let known: Vec<_> = table.lines().skip(1).map(|line| line.split_once(',').unwrap()).collect();
    let path = |name: &str| match name.starts_with("etcd") {
        true => histories().join("etcd").join(name).with_extension("log"),
        false => histories().join("kv").join(name).with_extension("txt"),
    };
    known.into_iter().map(|(name, verdict)| (path(name), verdict.parse().unwrap())).collect()
}

/// Judges a history, and proves the answer as far as possible.
fn judged<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>, options: &SearchOptions) -> bool {
    match judge(model, history, options) {
        Judgement::Linearizable(orders) => {
            brute::assert_explains(model, history, &orders);
            true
        }
        Judgement::Violated(violation) => {
            assert!(violation.stuck.iter().all(|stuck| !violation.order.contains(&stuck.operation)));
            assert_eq!(violation.stuck[0].operation, violation.must_come);
            brute::assert_stuck(model, history, &violation);
            false
        }
        Judgement::GaveUp(configurations) => panic!("gave up after {configurations}"),
    }
}

/// Options with all shortcuts, with none, and with each one left out.
fn all_options() -> Vec<SearchOptions> {
    let all = SearchOptions::default();
    let none = SearchOptions {
        observers_at_once: false,
        one_of_equals: false,
        only_changes: false,
        skip_supersets: false,
        look_ahead: false,
        ..all
    };
    let all = SearchOptions::default;
    vec![
        all(),
        none,
        SearchOptions { observers_at_once: false, ..all() },
        SearchOptions { one_of_equals: false, ..all() },
        SearchOptions { only_changes: false, ..all() },
        SearchOptions { skip_supersets: false, ..all() },
        SearchOptions { look_ahead: false, ..all() },
    ]
}

#[test]
fn all_known_verdicts_are_found() {
    let known = known();
    assert_eq!(known.len(), 85);
    for (path, expected) in known {
        let text = std::fs::read_to_string(&path).unwrap();
        let found = match path.extension().unwrap() == "log" {
            true => judged(
                &Register::new(Datum::Nil),
                &read::register(&text, FailedCas::FoundAnotherValue).unwrap(),
                &SearchOptions::default(),
            ),
            false => judged(&KeyValue, &read::key_value(&text).unwrap(), &SearchOptions::default()),
        };
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[test]
fn an_unknown_operation_that_helps_is_not_skipped() {
    let mut history = TypedHistory::new();
    history.call(1, RegisterOp::Write(5)).unwrap();
    history.call(2, RegisterOp::Read).unwrap();
    history.ret(2, RegisterOutput::Value(5)).unwrap();
    history.call(2, RegisterOp::Read).unwrap();
    history.ret(2, RegisterOutput::Value(77)).unwrap();
    let Judgement::Violated(violation) = judge(&Register::new(0), &history, &SearchOptions::default()) else {
        panic!("77 was never written")
    };
    // The write, whose outcome is unknown, explains the first read; the second cannot be explained.
    assert_eq!((violation.order.as_slice(), violation.must_come), (&[0, 1][..], 2));
    assert!(violation.is_exhaustive);
}

#[test]
fn a_part_that_gives_up_does_not_hide_one_that_is_violated() {
    let op = |key: &str, action| KeyValueOp { key: key.to_owned(), action };
    let read = |text: &str| KeyValueOutput::Text(text.to_owned());
    let mut history = TypedHistory::new();
    // Many concurrent writers and a read of a value that was never written are hard to judge without shortcuts.
    for process in 0..12 {
        history.call(process, op("hard", KeyValueAction::Append(process.to_string()))).unwrap();
    }
    history.call(12, op("hard", KeyValueAction::Get)).unwrap();
    history.ret(12, read("never written")).unwrap();
    (0..12).for_each(|process| history.ret(process, KeyValueOutput::Done).unwrap());
    let hard_alone = history.clone();
    for number in 0..30 {
        history.call(0, op("wrong", KeyValueAction::Put(number.to_string()))).unwrap();
        history.ret(0, KeyValueOutput::Done).unwrap();
    }
    history.call(0, op("wrong", KeyValueAction::Get)).unwrap();
    history.ret(0, read("28")).unwrap();
    let options = SearchOptions { look_ahead: false, budget: 400, ..SearchOptions::default() };
    assert!(matches!(judge(&KeyValue, &hard_alone, &options), Judgement::GaveUp(400)));
    match judge(&KeyValue, &history, &options) {
        Judgement::Violated(violation) => assert_eq!(violation.part, "\"wrong\""),
        other => panic!("{other:?}"),
    }
}

#[test]
fn small_histories_agree_with_brute_force() {
    let count = match std::env::var("SQUALL_HISTORIES") {
        Ok(text) => text.parse().expect("SQUALL_HISTORIES is a number"),
        Err(_) => 200_000,
    };
    let options = all_options();
    let mut linearizable = 0_u64;
    for number in 0..count {
        let history = small_register(Draw::new(Seed(number)));
        let model = Register::new(0);
        let expected = brute::is_linearizable(&model, history.entries());
        linearizable += u64::from(expected);
        // With all shortcuts and with none, and in turn with each one left out.
        let left_out = 2 + number as usize % (options.len() - 2);
        for options in [0, 1, left_out].map(|index| &options[index]) {
            let found = judged(&model, &history, options);
            assert_eq!(found, expected, "history {number} with {options:?}: {history:#?}");
        }
    }
    // The comparison means little unless both verdicts are frequent.
    assert!(linearizable > count / 10 && linearizable < count * 9 / 10, "{linearizable} of {count}");
}

#[test]
fn small_histories_of_other_objects_agree_with_brute_force() {
    fn agree<M: Model>(model: &M, make: impl Fn(Draw) -> TypedHistory<M::Op, M::Output>) {
        let mut linearizable = 0;
        for number in 0..5_000 {
            let history = make(Draw::new(Seed(number)));
            let expected = brute::is_linearizable(model, history.entries());
            linearizable += usize::from(expected);
            for options in all_options() {
                assert_eq!(judged(model, &history, &options), expected, "history {number}: {history:#?}");
            }
        }
        assert!((500..4_500).contains(&linearizable), "{linearizable} of 5000");
    }
    agree(&KeyValue, generate::small_key_value);
    agree(&Counter, generate::small_counter);
    agree(&Set::default(), generate::small_set);
    agree(&Queue::default(), generate::small_queue);
}

#[test]
fn a_larger_history_fails_once_it_is_spoilt() {
    for seed in 0..40 {
        let history = generate::register(Seed(seed), 8, 1_000, 4);
        let model = Register::new(0);
        assert!(judged(&model, &history, &SearchOptions::default()), "seed {seed}");
        for mistake in [Mistake::FromNowhere, Mistake::StaleRead, Mistake::LostUpdate] {
            let mut history = history.clone();
            generate::spoil(Seed(seed), &mut history, mistake);
            assert!(!judged(&model, &history, &SearchOptions::default()), "seed {seed}, {mistake:?}");
        }
    }
}

type Registered = TypedHistory<RegisterOp<u8>, RegisterOutput<u8>>;

/// 1 is written, then 2, and then a read returns `read`.
fn written_then(read: u8) -> Registered {
    let mut history = TypedHistory::new();
    for (process, value) in [(1, 1), (2, 2)] {
        history.call(process, RegisterOp::Write(value)).unwrap();
        history.ret(process, RegisterOutput::Done).unwrap();
    }
    history.call(3, RegisterOp::Read).unwrap();
    history.ret(3, RegisterOutput::Value(read)).unwrap();
    history
}

#[test]
fn a_stale_read_is_described() {
    let history = written_then(1);
    let Judgement::Violated(violation) = judge(&Register::new(0), &history, &SearchOptions::default()) else {
        panic!("it is wrong")
    };
    assert_eq!((&violation.order[..], violation.must_come), (&[0, 1][..], 2));
    let core = violation.core(&Register::new(0), &history);
    assert_eq!((&core.kept[..], core.loosened.len()), (&[0, 1, 2][..], 0), "each of the three is needed");
    let text = violation.text(&history, Some(&core));
    let parts = [
        "not linearizable: after 2 operations the state is 2; Read = Value(1) by process 3 (events 4 to 5) must come \
         next, but cannot",
        "Read = Value(1) by process 3 (events 4 to 5): it cannot return Value(1) when the state is 2",
        "these suffice:",
    ];
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}

#[test]
fn operations_that_are_not_needed_are_not_in_the_core() {
    let mut history = generate::register(Seed(3), 5, 200, 5);
    generate::spoil(Seed(3), &mut history, Mistake::FromNowhere);
    let model = Register::new(0);
    let Judgement::Violated(violation) = judge(&model, &history, &SearchOptions::default()) else {
        panic!("it is wrong")
    };
    let core = violation.core(&model, &history);
    assert!(core.kept.len() <= 12, "{core:?}");
    assert!(!judged(&model, &core.history(&history), &SearchOptions::default()), "it is still wrong");
    for index in 0..core.kept.len() {
        let mut less = core.clone();
        let dropped = less.kept.remove(index);
        if !model.is_observer(&history.entries()[dropped].op, history.entries()[dropped].ret.as_ref().map(|ret| &ret.1))
        {
            less.loosened.push(dropped);
        }
        assert!(judged(&model, &less.history(&history), &SearchOptions::default()), "{dropped} is needed");
    }
}

#[test]
fn intervals_are_closed() {
    let entry = |process, call, ret, op| HistoryEntry { process, call, ret: Some((ret, RegisterOutput::Done)), op };
    let read = |call| HistoryEntry { process: 3, call, ret: Some((9, RegisterOutput::Value(1))), op: RegisterOp::Read };
    let history = |call| {
        let entries = vec![entry(1, 0, 4, RegisterOp::Write(1)), entry(2, call, 8, RegisterOp::Write(2)), read(9)];
        TypedHistory::from_entries(entries).unwrap()
    };
    assert!(linearizable(&Register::new(0), &history(4)).is_pass(), "operations that only touch are concurrent");
    assert!(linearizable(&Register::new(0), &history(5)).is_fail());
}

#[test]
fn unknown_writes_take_effect_late_or_never() {
    let mut history = TypedHistory::new();
    history.call(1, RegisterOp::Write(1)).unwrap();
    history.give_up(1).unwrap();
    let mut read = |value: u8| {
        history.call(2, RegisterOp::Read).unwrap();
        history.ret(2, RegisterOutput::Value(value)).unwrap();
        linearizable(&Register::new(0), &history).word()
    };
    assert_eq!([read(0), read(0), read(1), read(1), read(0)], ["pass", "pass", "pass", "pass", "fail"]);
}

#[test]
fn a_search_that_gives_up_says_so() {
    let history = generate::register(Seed(1), 8, 1_000, 0);
    let options = SearchOptions { budget: 100, ..SearchOptions::default() };
    assert_eq!(judge(&Register::new(0), &history, &options), Judgement::GaveUp(100));
}

#[test]
fn hundreds_of_clients_are_distinguished() {
    for clients in [65, 300, 1_100] {
        let history = generate::all_at_once(clients);
        assert!(judged(&Register::new(0), &history, &SearchOptions::default()), "{clients} clients");
    }
}

#[test]
fn impossible_events_are_refused() {
    let mut history: Registered = TypedHistory::new();
    assert_eq!(history.ret(1, RegisterOutput::Done), Err(InvalidHistory::NoCall(1)));
    assert_eq!(history.give_up(1), Err(InvalidHistory::NoCall(1)));
    history.call(1, RegisterOp::Read).unwrap();
    assert_eq!(history.call(1, RegisterOp::Read), Err(InvalidHistory::TwoCalls(1)));
    let backwards =
        HistoryEntry { process: 0, call: 2, ret: Some((1, RegisterOutput::<u8>::Done)), op: RegisterOp::Write(1_u8) };
    assert_eq!(TypedHistory::from_entries(vec![backwards]), Err(InvalidHistory::Backwards(0)));
}

#[test]
fn an_empty_history_is_linearizable() {
    assert_eq!(linearizable(&Register::new(0_u8), &TypedHistory::new()), Verdict::Pass);
}

#[test]
fn a_run_is_judged() {
    let operation = |client, name: &str, input: &str, at, completed| Operation {
        host: HostId(0),
        client,
        life: 0,
        name: name.into(),
        input: input.into(),
        invoked_at: millis(at),
        completed,
    };
    let ok = |at, answer: &str| Some((millis(at), Completion::Ok(answer.into())));
    let check = check::is_linearizable("the register is linearizable", Register::new(0_u8), |operation| {
        Ok(match operation.name.as_str() {
            "read" => Some((RegisterOp::Read, operation.answer()?.map(RegisterOutput::Value))),
            "write" => {
                let output = operation.is_ok().then_some(RegisterOutput::Done);
                Some((RegisterOp::Write(operation.input()?), output))
            }
            _ => None,
        })
    });
    let trace = Trace::new(vec!["client".into()], millis(10), secs(60), false);
    let mut history = RunHistory::default();
    let mut word = |operation| {
        history.operations.push(operation);
        check.judge(&trace, &history).word()
    };
    assert_eq!(word(operation(1, "who", "null", 0, ok(1, "7"))), "unknown", "nothing is left to judge");
    assert_eq!(word(operation(0, "write", "1", 0, ok(10, "null"))), "pass");
    assert_eq!(word(operation(0, "write", "2", 20, Some((millis(30), Completion::Unknown("?".into()))))), "pass");
    assert_eq!(word(operation(0, "write", "3", 40, Some((millis(50), Completion::Fail("full".into()))))), "pass");
    assert_eq!(word(operation(1, "who", "null", 40, ok(50, "7"))), "pass", "it is left out");
    assert_eq!(word(operation(1, "read", "null", 60, ok(70, "2"))), "pass");
    assert_eq!(word(operation(2, "read", "null", 70, ok(80, "1"))), "pass", "it starts when the first read ends");
    assert_eq!(word(operation(1, "read", "null", 90, ok(95, "3"))), "fail", "a refused write has no effect");
}

/// A decoder of the wrong type once left every operation out, so that a wrong register passed.
#[test]
fn an_operation_that_cannot_be_decoded_fails_and_is_named() {
    let operation = |name: &str, input: &str, at, answer: &str| Operation {
        host: HostId(0),
        client: 3,
        life: 0,
        name: name.into(),
        input: input.into(),
        invoked_at: millis(at),
        completed: Some((millis(at + 1), Completion::Ok(answer.into()))),
    };
    let judge = |check: &check::Check, operation: Operation| {
        let history = RunHistory { operations: vec![operation] };
        check.judge(&Trace::new(vec!["client".into()], millis(10), secs(60), false), &history).to_string()
    };
    let wrong_type = check::is_linearizable("register", Register::new(0_u8), |operation| {
        Ok(Some((RegisterOp::Read, operation.answer::<bool>()?.map(|_| RegisterOutput::Value(0)))))
    });
    let verdict = judge(&wrong_type, operation("read", "null", 5, "7"));
    assert!(verdict.starts_with("fail: the decoder of this check cannot read read null of client 3 (5ms"), "{verdict}");
    let no_output = check::is_linearizable("register", Register::new(0_u8), |_| Ok(Some((RegisterOp::Read, None))));
    let verdict = judge(&no_output, operation("read", "null", 5, "7"));
    assert!(verdict.ends_with("it was acknowledged, but the decoder returned no output"), "{verdict}");
}
