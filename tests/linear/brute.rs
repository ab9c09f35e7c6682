//! A brute-force checker that tries every order, and assertions that prove the answers of the real checker.

// Each test program that includes this module uses a different part of it.
#![allow(dead_code)]

use squall::check::linear::{HistoryEntry, Model, TypedHistory, Violation};

/// Whether some order of all completed and any unknown operations explains them. This is feasible only for a handful of
/// operations.
pub fn is_linearizable<M: Model>(model: &M, entries: &[HistoryEntry<M::Op, M::Output>]) -> bool {
    let mut keys: Vec<_> = entries.iter().map(|entry| model.key(&entry.op)).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter().all(|key| {
        let part: Vec<_> = entries.iter().filter(|entry| model.key(&entry.op) == key).collect();
        extend(model, &model.init(), &part, 0)
    })
}

fn extend<M: Model>(model: &M, state: &M::State, part: &[&HistoryEntry<M::Op, M::Output>], done: u32) -> bool {
    let left = |index: &usize| done >> index & 1 == 0;
    let returns = (0..part.len()).filter(left).filter_map(|index| part[index].ret.as_ref().map(|(ret, _)| *ret));
    let Some(first) = returns.min() else { return true };
    (0..part.len()).filter(left).filter(|index| part[*index].call <= first).any(|index| {
        let entry = part[index];
        let after = model.step(state, &entry.op, entry.ret.as_ref().map(|(_, output)| output));
        after.is_some_and(|after| extend(model, &after, part, done | 1 << index))
    })
}

/// Asserts that the orders agree with real time and with the model, and contain every operation that returned.
pub fn assert_explains<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>, orders: &[Vec<usize>]) {
    let entries = history.entries();
    let mut ordered = vec![false; entries.len()];
    for order in orders {
        assert_possible(model, history, order);
        for index in order {
            assert!(!std::mem::replace(&mut ordered[*index], true), "operation {index} is ordered twice");
        }
    }
    for (index, entry) in entries.iter().enumerate() {
        // Any operation that did not return may be left out.
        assert!(ordered[index] || entry.ret.is_none(), "operation {index} returned and is not ordered");
    }
}

/// Asserts that the order is possible; returns the state after it.
fn assert_possible<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>, order: &[usize]) -> M::State {
    let entries = history.entries();
    let mut state = model.init();
    let mut called_last = 0;
    for index in order {
        let entry = &entries[*index];
        if let Some((ret, _)) = &entry.ret {
            assert!(
                *ret >= called_last,
                "operation {index} is ordered after one that was called later than it returned"
            );
        }
        called_last = called_last.max(entry.call);
        let output = entry.ret.as_ref().map(|(_, output)| output);
        state = model.step(&state, &entry.op, output).unwrap_or_else(|| panic!("operation {index} is not possible"));
    }
    state
}

/// Asserts that the order of a violation is possible, and that no operation that it calls stuck can follow.
pub fn assert_stuck<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>, violation: &Violation) {
    let state = assert_possible(model, history, &violation.order);
    assert_eq!(format!("{state:?}"), violation.state);
    for stuck in &violation.stuck {
        let entry = &history.entries()[stuck.operation];
        let (_, output) = entry.ret.as_ref().expect("a stuck operation has returned");
        assert!(model.step(&state, &entry.op, Some(output)).is_none(), "operation {} could follow", stuck.operation);
        if !violation.is_exhaustive {
            continue;
        }
        // It cannot follow one of the unknown operations either, or this order would get farther.
        for unknown in &violation.unknown {
            let entry_of_unknown = &history.entries()[*unknown];
            let Some(after) = model.step(&state, &entry_of_unknown.op, None) else { continue };
            let follows = model.step(&after, &entry.op, Some(output)).is_some();
            assert!(!follows, "operation {} could follow after {unknown}", stuck.operation);
        }
    }
}
