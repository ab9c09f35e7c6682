//! Queues with unique values: the patterns against every order, and against the general search.

use squall::check::linear::models::{Queue, QueueOp, QueueOutput};
use squall::check::linear::queue::{NotUnique, Wrong, linearizable_queue, wrong};
use squall::check::linear::{HistoryEntry, Judgement, SearchOptions, TypedHistory, judge};
use squall::prelude::Seed;

use crate::brute;
use crate::generate::{self, Draw};

type Queued = TypedHistory<QueueOp<u64>, QueueOutput<u64>>;

/// A few operations at random times, whose values are unique and mostly in a queue's order.
fn small(mut draw: Draw) -> Queued {
    let count = 2 + draw.below(6);
    let (mut entries, mut enqueued, mut taken) = (Vec::new(), 0, 0);
    for process in 0..count {
        let (call, lasts) = (draw.below(12), draw.below(7));
        let (op, output) = match draw.below(2) {
            0 => {
                enqueued += 1;
                (QueueOp::Enqueue(enqueued), QueueOutput::Done)
            }
            _ => {
                taken += 1;
                let value = if draw.below(8) == 0 { draw.below(4) } else { taken };
                (QueueOp::Dequeue, QueueOutput::Taken((draw.below(3) > 0).then_some(value)))
            }
        };
        let ret = (draw.below(4) > 0).then_some((call + lasts, output));
        entries.push(HistoryEntry { process, call, ret, op });
    }
    TypedHistory::from_entries(entries).unwrap()
}

/// Asserts that what is named is wrong by itself, whatever the dequeues with unknown outcomes do.
fn assert_shows(history: &Queued, wrong: &Wrong, number: u64) {
    let named = wrong.operations();
    let entries = history.entries();
    let is_open = |index: &usize| entries[*index].op == QueueOp::Dequeue && entries[*index].ret.is_none();
    let left = (0..entries.len()).filter(|index| named.contains(index) || is_open(index));
    let left: Vec<_> = left.map(|index| entries[index].clone()).collect();
    assert!(!brute::is_linearizable(&Queue::default(), &left), "history {number}: {wrong:?} of {history:#?}");
}

#[test]
fn patterns_agree_with_every_order() {
    let (mut right, mut kinds) = (0, [0; 6]);
    for number in 0..200_000 {
        let history = small(Draw::new(Seed(number)));
        let expected = brute::is_linearizable(&Queue::default(), history.entries());
        let found = wrong(&history).unwrap();
        assert_eq!(found.is_none(), expected, "history {number}: {found:?} of {history:#?}");
        match found {
            None => right += 1,
            Some(found) => {
                assert_shows(&history, &found, number);
                kinds[match found {
                    Wrong::Unknown { .. } => 0,
                    Wrong::Early { .. } => 1,
                    Wrong::Twice { .. } => 2,
                    Wrong::Overtaken { .. } => 3,
                    Wrong::NeverEmpty { .. } => 4,
                    Wrong::TooMany { .. } => 5,
                }] += 1;
            }
        }
    }
    println!("{right} are right; wrong in the order of the patterns: {kinds:?}");
    assert!((50_000..150_000).contains(&right), "{right} of 200000");
    assert!(kinds.iter().all(|count| *count > 100), "{kinds:?}");
}

#[test]
fn patterns_agree_with_the_general_search_on_larger_queues() {
    for seed in 0..60 {
        let mut history = generate::queue(Seed(seed), 4, 120, 20);
        for is_right in [true, false] {
            let found = wrong(&history).unwrap();
            match judge(&Queue::default(), &history, &SearchOptions { budget: 20_000, ..SearchOptions::default() }) {
                Judgement::Linearizable(_) => assert_eq!(found, None, "seed {seed}"),
                Judgement::Violated(_) => assert!(found.is_some(), "seed {seed}"),
                Judgement::GaveUp(_) => {}
            }
            if is_right {
                assert_eq!(found, None, "seed {seed}");
                generate::spoil_queue(Seed(seed), &mut history);
            } else {
                assert!(found.is_some(), "seed {seed}, spoilt");
            }
        }
    }
}

#[test]
fn values_that_come_twice_are_left_to_the_search() {
    let mut history = Queued::new();
    for _ in 0..2 {
        history.call(1, QueueOp::Enqueue(7)).unwrap();
        history.ret(1, QueueOutput::Done).unwrap();
    }
    assert_eq!(wrong(&history), Err(NotUnique(1)));
    for expected in ["pass", "pass", "fail"] {
        history.call(1, QueueOp::Dequeue).unwrap();
        history.ret(1, QueueOutput::Taken(Some(7))).unwrap();
        assert_eq!(linearizable_queue(&history).word(), expected);
    }
}

#[test]
fn a_wrong_queue_shows_itself() {
    let mut history = Queued::new();
    for value in [1, 2] {
        history.call(1, QueueOp::Enqueue(value)).unwrap();
        history.ret(1, QueueOutput::Done).unwrap();
    }
    history.call(2, QueueOp::Dequeue).unwrap();
    history.ret(2, QueueOutput::Taken(Some(2))).unwrap();
    assert_eq!(
        linearizable_queue(&history).to_string(),
        "fail: not linearizable: Enqueue(1) = Done by process 1 (events 0 to 1) comes before Enqueue(2) = Done by process 1 \
         (events 2 to 3), which is taken by Dequeue = Taken(Some(2)) by process 2 (events 4 to 5), but the first is never taken"
    );
}
