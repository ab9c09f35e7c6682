//! A checker that tries every order and has no shortcut, and proofs of the other one's answers.

// Each program that includes this module uses another part of it.
#![allow(dead_code)]

use squall::check::linear::{HistoryEntry, Model, TypedHistory, Violation};

/// Whether some order of all completed and some unknown operations explains them. For a handful of operations only.
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

/// Asserts that an order keeps to real time and to the model, and leaves out nothing that returned.
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
        // A read is an observer: one that did not return may be left out, as any unknown operation may.
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
            assert!(*ret >= called_last, "operation {index} returned before one before it was called");
        }
        called_last = called_last.max(entry.call);
        let output = entry.ret.as_ref().map(|(_, output)| output);
        state = model.step(&state, &entry.op, output).unwrap_or_else(|| panic!("operation {index} is not possible"));
    }
    state
}

/// Asserts that the order of a violation is possible, and that nothing which it calls stuck can follow.
pub fn assert_stuck<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>, violation: &Violation) {
    let state = assert_possible(model, history, &violation.order);
    assert_eq!(format!("{state:?}"), violation.state);
    for stuck in &violation.stuck {
        let entry = &history.entries()[stuck.operation];
        let (_, output) = entry.ret.as_ref().expect("what is stuck has returned");
        assert!(model.step(&state, &entry.op, Some(output)).is_none(), "operation {} could follow", stuck.operation);
        if !violation.is_exhaustive {
            continue;
        }
        // Nor after one of the unknown ones: it would come farther.
        for unknown in &violation.unknown {
            let entry_of_unknown = &history.entries()[*unknown];
            let Some(after) = model.step(&state, &entry_of_unknown.op, None) else { continue };
            let follows = model.step(&after, &entry.op, Some(output)).is_some();
            assert!(!follows, "operation {} could follow after {unknown}", stuck.operation);
        }
    }
}
