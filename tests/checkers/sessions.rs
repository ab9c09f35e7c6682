//! Session guarantees against every order of the values, and a broken history for each that only it catches.

use squall::check::convergence::{KeyDivergence, converged};
use squall::check::keyed_op::{KeyedOp, Op, WriteOrder};
use squall::check::session::{Guarantee, broken};
use squall::check::staleness::{Stale, worst};
use squall::prelude::Seed;

use crate::generate::Draw;

type Seen = KeyedOp<&'static str, u64>;

/// A few accesses of three sessions, mostly one after the other. What is written is unique, what is read is mostly
/// something that was written.
fn small(mut draw: Draw) -> Vec<Seen> {
    let count = 2 + draw.below(7);
    let mut times = [0; 3];
    let mut ops = Vec::new();
    let mut unwritten = vec![1, 2, 3, 4];
    for _ in 0..count {
        let session = draw.below(3);
        let key = if draw.below(5) == 0 { "b" } else { "a" };
        let call = times[session as usize] + draw.below(3);
        let mut ret = Some(call + draw.below(4));
        let op = match draw.below(5) {
            0 | 1 if !unwritten.is_empty() => {
                ret = ret.filter(|_| draw.below(4) > 0);
                let place = draw.below(3).min(draw.below(3)) as usize % unwritten.len();
                Op::Write(unwritten.remove(place))
            }
            _ => Op::Read(Some(draw.below(5)).filter(|value| *value > 0)),
        };
        // Now and then a session does two things at once.
        times[session as usize] = if draw.below(8) == 0 { call } else { ret.unwrap_or(call + 1) };
        ops.push(KeyedOp { session, key, op, call, ret });
    }
    ops
}

fn value(access: &Seen) -> u64 {
    match access.op {
        Op::Read(value) => value.unwrap_or(0),
        Op::Write(value) => value,
    }
}

/// Whether all claimed guarantees hold when the values are in this order.
fn holds(ops: &[&Seen], order: &[u64], claimed: &[Guarantee]) -> bool {
    let place = |access: &Seen| order.iter().position(|other| *other == value(access));
    let is_read = |access: &Seen| matches!(access.op, Op::Read(_));
    (0..ops.len()).all(|later| {
        (0..ops.len()).all(|earlier| {
            let (a, b) = (ops[earlier], ops[later]);
            let is_first = (a.call, earlier) < (b.call, later) && a.ret.is_some_and(|ret| ret <= b.call);
            let binding = match (is_read(a), is_read(b)) {
                (false, true) => Guarantee::ReadYourWrites,
                (true, true) => Guarantee::MonotonicReads,
                (false, false) => Guarantee::MonotonicWrites,
                (true, false) => Guarantee::WritesFollowReads,
            };
            let is_kept = if is_read(b) { place(a) <= place(b) } else { place(a) < place(b) };
            a.session != b.session || !is_first || !claimed.contains(&binding) || is_kept
        })
    })
}

fn permutations(values: &[u64]) -> Vec<Vec<u64>> {
    let Some((first, rest)) = values.split_first() else { return vec![Vec::new()] };
    let with = |rest: Vec<u64>| (0..=rest.len()).map(move |at| [&rest[..at], &[*first], &rest[at..]].concat());
    permutations(rest).into_iter().flat_map(with).collect()
}

/// Whether some order of the values of each key keeps all claimed guarantees.
fn is_possible(ops: &[Seen], write_order: WriteOrder, claimed: &[Guarantee]) -> bool {
    ["a", "b"].into_iter().all(|key| {
        let part: Vec<&Seen> = ops.iter().filter(|access| access.key == key).collect();
        let orders =
            if write_order == WriteOrder::Versions { vec![vec![1, 2, 3, 4]] } else { permutations(&[1, 2, 3, 4]) };
        orders.iter().any(|order| {
            let order = [&[0], &order[..]].concat();
            let place = |access: &Seen| order.iter().position(|other| *other == value(access));
            let writes = || part.iter().filter(|access| matches!(access.op, Op::Write(_)));
            let is_in_time = write_order != WriteOrder::RealTime
                || writes().all(|a| writes().all(|b| a.ret.is_none_or(|ret| ret >= b.call) || place(a) < place(b)));
            is_in_time && holds(&part, &order, claimed)
        })
    })
}

#[test]
fn every_order_of_the_values_agrees() {
    for write_order in [WriteOrder::Versions, WriteOrder::RealTime, WriteOrder::Unknown] {
        let mut caught = [0; 5];
        for number in 0..12_000 {
            let ops = small(Draw::new(Seed(number)));
            let alone = Guarantee::ALL.iter().map(std::slice::from_ref);
            for (place, claimed) in alone.chain([&Guarantee::ALL[..], &Guarantee::ALL[1..3]]).enumerate() {
                let found = broken(&ops, write_order, claimed).unwrap();
                let expected = !is_possible(&ops, write_order, claimed);
                assert_eq!(
                    found.is_some(),
                    expected,
                    "history {number}, {write_order:?}, {claimed:?}: {found:?} of {ops:#?}"
                );
                let Some(found) = found else { continue };
                caught[place.min(4)] += 1;
                // What it names suffices, and a smaller set of guarantees would not do.
                assert!(!is_possible(&ops, write_order, &found.guarantees), "history {number}");
                assert!(
                    found.guarantees.len() == 1
                        || found.guarantees.iter().all(|one| { is_possible(&ops, write_order, &[*one]) })
                );
                let named: Vec<Seen> = (0..ops.len())
                    .filter(|index| {
                        let is_write = matches!(ops[*index].op, Op::Write(_));
                        found.ops.contains(index) || (write_order == WriteOrder::RealTime && is_write)
                    })
                    .map(|index| ops[index].clone())
                    .collect();
                assert!(
                    !is_possible(&named, write_order, &found.guarantees),
                    "history {number}, {write_order:?}: {found:?}"
                );
            }
        }
        println!("{write_order:?}: {caught:?}");
        // Writes alone never contradict each other where nothing tells their order.
        let least = [1, 1, usize::from(write_order == WriteOrder::Versions), 1].map(|one| one * 50);
        assert!((0..4).all(|place| caught[place] >= least[place]) && caught[4] > 1_000, "{write_order:?}: {caught:?}");
    }
}

/// A session's accesses of one key, one after the other from this time on.
fn session(session: u64, from: u64, acts: &[Op<u64>]) -> Vec<Seen> {
    let access = |(place, op): (u64, &Op<u64>)| {
        let call = from + place * 10;
        KeyedOp { session, key: "a", op: op.clone(), call, ret: Some(call + 5) }
    };
    (0..).zip(acts).map(access).collect()
}

#[test]
fn each_guarantee_catches_what_the_others_do_not() {
    let read = |value| Op::Read(Some(value));
    for (guarantee, acts) in [
        (Guarantee::ReadYourWrites, [Op::Write(2), read(1)]),
        (Guarantee::MonotonicReads, [read(2), read(1)]),
        (Guarantee::MonotonicWrites, [Op::Write(2), Op::Write(1)]),
        (Guarantee::WritesFollowReads, [read(2), Op::Write(1)]),
    ] {
        let ops = session(1, 0, &acts);
        for other in Guarantee::ALL {
            let found = broken(&ops, WriteOrder::Versions, &[other]).unwrap();
            assert_eq!(found.is_some(), other == guarantee, "{guarantee} by {other}");
        }
        let found = broken(&ops, WriteOrder::Versions, &Guarantee::ALL).unwrap().unwrap();
        assert_eq!((found.guarantees.as_slice(), found.ops.as_slice()), (&[guarantee][..], &[0, 1][..]));
        assert!(found.summary(&ops).starts_with(&format!("{guarantee}: ")), "{}", found.summary(&ops));
    }
}

#[test]
fn values_without_versions_are_ordered_by_what_others_saw() {
    let read = |value| Op::Read(Some(value));
    // One writes 1 and then 2; another sees 2 and then 1. Either the writes or the reads are out of order.
    let ops = [session(1, 0, &[Op::Write(1), Op::Write(2)]), session(2, 100, &[read(2), read(1)])].concat();
    let found =
        |write_order, claimed: &[Guarantee]| broken(&ops, write_order, claimed).unwrap().map(|found| found.guarantees);
    assert_eq!(
        found(WriteOrder::Unknown, &Guarantee::ALL),
        Some(vec![Guarantee::MonotonicReads, Guarantee::MonotonicWrites])
    );
    assert_eq!(found(WriteOrder::Unknown, &[Guarantee::MonotonicReads]), None);
    // In real time the first write is the older one, so that the reads are to blame.
    assert_eq!(found(WriteOrder::RealTime, &Guarantee::ALL), Some(vec![Guarantee::MonotonicReads]));
    assert!(
        broken(&[session(1, 0, &[Op::Write(1), Op::Write(1)])].concat(), WriteOrder::Unknown, &Guarantee::ALL).is_err()
    );
}

/// The staleness of every read by the definition, and the worst.
fn worst_by_hand(ops: &[Seen], write_order: WriteOrder) -> Option<u64> {
    let writes = || ops.iter().filter(|access| matches!(access.op, Op::Write(_)));
    let reads = || ops.iter().filter(|access| matches!(access.op, Op::Read(_)));
    let stale = reads().filter_map(|read| {
        let of_key = |other: &&Seen| other.key == read.key;
        let same = ops.iter().filter(of_key).filter(|other| value(other) == value(read));
        let there = if value(read) == 0 { None } else { same.filter_map(|access| access.ret).min() };
        let is_later = |write: &&Seen| match write_order {
            WriteOrder::Versions => value(write) > value(read),
            _ => there.is_none_or(|there| write.call > there),
        };
        let overwritten = writes().filter(of_key).filter(is_later).filter_map(|write| write.ret).min()?;
        read.call.checked_sub(overwritten).filter(|by| *by > 0)
    });
    stale.max()
}

#[test]
fn the_worst_staleness_is_found() {
    for write_order in [WriteOrder::Versions, WriteOrder::RealTime] {
        let mut stale = 0;
        for number in 0..40_000 {
            let ops = small(Draw::new(Seed(number)));
            let found = worst(&ops, write_order).unwrap();
            assert_eq!(found.as_ref().map(|stale| stale.by), worst_by_hand(&ops, write_order), "{number}: {ops:#?}");
            if let Some(Stale { read, overwritten_by, by }) = found {
                assert_eq!(ops[overwritten_by].ret, Some(ops[read].call - by));
                stale += 1;
            }
        }
        assert!(stale > 2_000, "{write_order:?}: {stale}");
    }
}

#[test]
fn what_diverges_in_the_end_is_found() {
    let read = |value| Op::Read(Some(value));
    let writes = session(1, 0, &[Op::Write(1), Op::Write(2)]);
    let found = |session_2: &[Op<u64>], session_3: &[Op<u64>], after| {
        let ops = [writes.clone(), session(2, 100, session_2), session(3, 200, session_3)].concat();
        converged(&ops, after, WriteOrder::RealTime).unwrap()
    };
    assert_eq!(found(&[read(2)], &[read(2)], 50).divergences, []);
    assert_eq!(found(&[read(2)], &[read(2)], 50).compared, 1);
    assert_eq!(found(&[read(2)], &[read(2)], 201).compared, 0, "nobody read so late");
    assert_eq!(found(&[read(2)], &[read(1)], 50).divergences, [KeyDivergence::Differ(2, 3)]);
    assert_eq!(found(&[read(1)], &[read(2)], 150).divergences, [], "the first was early");
    assert_eq!(found(&[read(1)], &[read(1)], 50).divergences, [KeyDivergence::Overwritten(2, 1)], "an update is lost");
    assert_eq!(found(&[Op::Write(3), read(3)], &[read(3)], 0).divergences, [], "writing had not ceased");
    assert_eq!(found(&[Op::Write(3), read(3)], &[read(2)], 0).divergences, [KeyDivergence::Differ(3, 4)]);
}
