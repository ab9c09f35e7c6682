//! Sequential consistency against every order.

use std::collections::BTreeMap;

use squall::check::linear::models::*;
use squall::check::linear::{HistoryEntry, Model, TypedHistory, linearizable};
use squall::check::sequential::{self, BUDGET, Judgement, sequentially_consistent};
use squall::prelude::Seed;

use crate::generate::{self, Draw};

/// Whether `earlier` comes before `later` for the process of both.
fn is_before<Op, Output>(entries: &[HistoryEntry<Op, Output>], earlier: usize, later: usize) -> bool {
    let (a, b) = (&entries[earlier], &entries[later]);
    a.process == b.process
        && (a.call, earlier) < (b.call, later)
        && a.ret.as_ref().is_some_and(|(ret, _)| *ret <= b.call)
}

/// Tries every order without any shortcut. This is feasible only for a handful of operations.
fn extend<M: Model>(
    model: &M,
    entries: &[HistoryEntry<M::Op, M::Output>],
    states: &BTreeMap<M::Key, M::State>,
    done: u32,
) -> bool
where
    M::Key: Clone,
{
    let is_done = |index: usize| done >> index & 1 == 1;
    if (0..entries.len()).all(|index| is_done(index) || entries[index].ret.is_none()) {
        return true;
    }
    (0..entries.len()).filter(|index| !is_done(*index)).any(|index| {
        if (0..entries.len()).any(|other| !is_done(other) && is_before(entries, other, index)) {
            return false;
        }
        let key = model.key(&entries[index].op);
        let state = states.get(&key).cloned().unwrap_or_else(|| model.init());
        let output = entries[index].ret.as_ref().map(|(_, output)| output);
        model.step(&state, &entries[index].op, output).is_some_and(|after| {
            let mut states = states.clone();
            states.insert(key, after);
            extend(model, entries, &states, done | 1 << index)
        })
    })
}

/// Asserts that an order agrees with the order of each client and with the model, and, if it `is_whole`, that it
/// contains every operation that returned.
fn assert_explains<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>, order: &[usize], is_whole: bool)
where
    M::Key: Clone,
{
    let entries = history.entries();
    let mut states = BTreeMap::new();
    for (place, index) in order.iter().enumerate() {
        assert!(!order[..place].contains(index), "operation {index} is ordered twice");
        let missing =
            (0..entries.len()).find(|other| is_before(entries, *other, *index) && !order[..place].contains(other));
        assert_eq!(missing, None, "an operation before operation {index} is missing");
        let key = model.key(&entries[*index].op);
        let state = states.remove(&key).unwrap_or_else(|| model.init());
        let output = entries[*index].ret.as_ref().map(|(_, output)| output);
        states.insert(key, model.step(&state, &entries[*index].op, output).expect("it is possible"));
    }
    if is_whole {
        assert!((0..entries.len()).all(|index| order.contains(&index) || entries[index].ret.is_none()));
    }
}

fn agree<M: Model>(model: &M, count: u64, make: impl Fn(Draw) -> TypedHistory<M::Op, M::Output>)
where
    M::Key: Clone,
{
    let mut consistent = 0;
    for number in 0..count {
        let mut entries = make(Draw::new(Seed(number))).entries().to_vec();
        // Operations are spread over three clients; overlapping ones of a client are not ordered.
        entries.iter_mut().for_each(|entry| entry.process %= 3);
        let history = TypedHistory::from_entries(entries).unwrap();
        let expected = extend(model, history.entries(), &BTreeMap::new(), 0);
        consistent += u64::from(expected);
        match sequential::judge(model, &history, BUDGET) {
            Judgement::Consistent(order) => {
                assert!(expected, "history {number}: {history:#?}");
                assert_explains(model, &history, &order, true);
            }
            Judgement::Violated(violation) => {
                assert!(!expected, "history {number}: {history:#?}");
                assert_explains(model, &history, &violation.order, false);
                assert!(violation.stuck.iter().all(|stuck| !violation.order.contains(&stuck.operation)));
                let core = violation.core(model, &history).history(&history);
                assert!(!extend(model, core.entries(), &BTreeMap::new(), 0), "history {number}: {core:#?}");
            }
            Judgement::GaveUp(_) => panic!("history {number} is small"),
        }
        // If a client calls an operation exactly when its previous one returns, the two are concurrent in real time,
        // but ordered for that client.
        let entries = history.entries();
        let touches = |a: &HistoryEntry<M::Op, M::Output>, b: &HistoryEntry<M::Op, M::Output>| {
            a.process == b.process && a.ret.as_ref().is_some_and(|(ret, _)| *ret == b.call)
        };
        let has_touching = entries.iter().any(|a| entries.iter().any(|b| touches(a, b)));
        if !has_touching && linearizable(model, &history).is_pass() {
            assert!(expected, "a linearizable history must be sequentially consistent: {history:#?}");
        }
    }
    assert!(consistent > count / 20 && consistent < count * 19 / 20, "{consistent} of {count}");
}

#[test]
fn the_search_agrees_with_every_order() {
    agree(&Register::new(0), 50_000, generate::small_register);
    agree(&KeyValue, 5_000, generate::small_key_value);
    agree(&Counter, 5_000, generate::small_counter);
    agree(&Set::default(), 5_000, generate::small_set);
    agree(&Queue::default(), 5_000, generate::small_queue);
}

#[test]
fn two_consistent_keys_may_be_inconsistent_together() {
    // Each client writes its own key and then reads the other key, which seems not to be written yet.
    let op = |key: &str, action| KeyValueOp { key: key.into(), action };
    let mut history = TypedHistory::new();
    for (process, own, other) in [(1, "a", "b"), (2, "b", "a")] {
        history.call(process, op(own, KeyValueAction::Put("x".into()))).unwrap();
        history.ret(process, KeyValueOutput::Done).unwrap();
        history.call(process, op(other, KeyValueAction::Get)).unwrap();
        history.ret(process, KeyValueOutput::Text(String::new())).unwrap();
    }
    for key in ["a", "b"] {
        let part = history.entries().iter().filter(|entry| entry.op.key == key).cloned().collect();
        assert!(sequentially_consistent(&KeyValue, &TypedHistory::from_entries(part).unwrap()).is_pass(), "{key}");
    }
    let verdict = sequentially_consistent(&KeyValue, &history).to_string();
    assert!(verdict.starts_with("fail: not sequentially consistent: after 3 operations the state is "), "{verdict}");
}

#[test]
fn a_violation_is_described() {
    let mut history = TypedHistory::new();
    for (process, op, output) in [
        (1, RegisterOp::Write(1), RegisterOutput::Done),
        (2, RegisterOp::Read, RegisterOutput::Value(0)),
        (1, RegisterOp::Read, RegisterOutput::Value(0)),
    ] {
        history.call(process, op).unwrap();
        history.ret(process, output).unwrap();
    }
    let model = Register::new(0);
    let Judgement::Violated(violation) = sequential::judge(&model, &history, BUDGET) else {
        panic!("the history is wrong")
    };
    let core = violation.core(&model, &history);
    assert_eq!((&core.kept[..], core.loosened.len()), (&[0, 2][..], 0), "the other client is not needed");
    let expected = "\
not sequentially consistent: after 2 operations the state is 1; none of these can come next: Read = Value(0) by process 1 (events 4 to 5)
the longest order, 2 operations:
  Read = Value(0) by process 2 (events 2 to 3)
  Write(1) = Done by process 1 (events 0 to 1)
  then the state is 1
the next operations of all clients, none of which can come next:
  Read = Value(0) by process 1 (events 4 to 5): it cannot return Value(0) when the state is 1
these suffice:
  Write(1) = Done by process 1 (events 0 to 1)
  Read = Value(0) by process 1 (events 4 to 5)
";
    assert_eq!(violation.text(&history, Some(&core)), expected);
}

#[test]
fn a_history_that_is_too_hard_is_unknown() {
    let history = generate::register(Seed(1), 8, 300, 0);
    assert!(sequentially_consistent(&Register::new(0), &history).is_pass());
    assert_eq!(sequential::judge(&Register::new(0), &history, 50), Judgement::GaveUp(50));
}
