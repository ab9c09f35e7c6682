//! Histories drawn from a seed. The benchmark draws its histories here, too.

// The benchmark uses a part of it.
#![allow(dead_code)]

use std::collections::VecDeque;

use squall::check::linear::models::*;
use squall::check::linear::{HistoryEntry, Model, TypedHistory};
use squall::prelude::Seed;

type Registered = TypedHistory<RegisterOp<u32>, RegisterOutput<u32>>;

/// Draws numbers one by one.
pub struct Draw {
    seed: Seed,
    drawn: u64,
}

impl Draw {
    pub fn new(seed: Seed) -> Draw {
        Draw { seed, drawn: 0 }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        self.seed.decide("history", &[self.drawn]) % end
    }
}

/// Operations of up to four processes at random times, with random outputs or none.
fn small<M: Model>(
    mut draw: Draw,
    mut operation: impl FnMut(&mut Draw) -> (M::Op, M::Output),
) -> TypedHistory<M::Op, M::Output> {
    let count = 2 + draw.below(5);
    let mut entries = Vec::new();
    for process in 0..count {
        let (op, output) = operation(&mut draw);
        let call = draw.below(10);
        let lasts = draw.below(6);
        let ret = (draw.below(4) > 0).then_some((call + lasts, output));
        entries.push(HistoryEntry { process, call, ret, op });
    }
    TypedHistory::from_entries(entries).expect("returns come after calls")
}

pub fn small_register(draw: Draw) -> Registered {
    small::<Register<u32>>(draw, |draw| {
        let mut value = || draw.below(3) as u32;
        let (a, b) = (value(), value());
        match draw.below(4) {
            0 | 1 => (RegisterOp::Read, RegisterOutput::Value(a)),
            2 => (RegisterOp::Write(a), RegisterOutput::Done),
            _ => (RegisterOp::CompareAndSet(a, b), RegisterOutput::Swapped(draw.below(2) == 0)),
        }
    })
}

pub fn small_key_value(draw: Draw) -> TypedHistory<KeyValueOp, KeyValueOutput> {
    small::<KeyValue>(draw, |draw| {
        let key = if draw.below(4) == 0 { "b" } else { "a" }.to_owned();
        let text = ["", "x", "y", "xy"][draw.below(4) as usize].to_owned();
        match draw.below(4) {
            0 | 1 => (KeyValueOp { key, action: KeyValueAction::Get }, KeyValueOutput::Text(text)),
            2 => (KeyValueOp { key, action: KeyValueAction::Put(text) }, KeyValueOutput::Done),
            _ => (KeyValueOp { key, action: KeyValueAction::Append(text) }, KeyValueOutput::Done),
        }
    })
}

pub fn small_counter(draw: Draw) -> TypedHistory<CounterOp, CounterOutput> {
    small::<Counter>(draw, |draw| {
        let number = draw.below(3) as i64;
        match draw.below(4) {
            0 | 1 => (CounterOp::Read, CounterOutput::Value(number)),
            2 => (CounterOp::Add(number), CounterOutput::Done),
            _ => (CounterOp::AddAndRead(number), CounterOutput::Value(number + draw.below(2) as i64)),
        }
    })
}

pub fn small_set(draw: Draw) -> TypedHistory<SetOp<u64>, SetOutput<u64>> {
    small::<Set<u64>>(draw, |draw| {
        let value = draw.below(2);
        match draw.below(5) {
            0 | 1 => (SetOp::Add(value), SetOutput::Done),
            2 => (SetOp::Remove(value), SetOutput::Done),
            3 => (SetOp::Contains(value), SetOutput::Has(draw.below(2) == 0)),
            _ => (SetOp::Read, SetOutput::Values((0..2).filter(|_| draw.below(2) == 0).collect())),
        }
    })
}

pub fn small_queue(draw: Draw) -> TypedHistory<QueueOp<u64>, QueueOutput<u64>> {
    small::<Queue<u64>>(draw, |draw| match draw.below(2) {
        0 => (QueueOp::Enqueue(draw.below(2)), QueueOutput::Done),
        _ => (QueueOp::Dequeue, QueueOutput::Taken([None, Some(0), Some(1)][draw.below(3) as usize])),
    })
}

/// An operation that was called, and what it returns if it has taken effect.
type Running<M> = (<M as Model>::Op, Option<<M as Model>::Output>);

/// Which operations do not return.
struct Unknown {
    /// How many of a thousand.
    of_a_thousand: u64,
    /// Whether half of them had no effect either.
    may_lack_effect: bool,
}

/// What clients of a real object would show: each operation that `invent` draws takes effect by `apply` at a random moment
/// between its call and its return.
fn shown_by_clients<M: Model>(
    mut draw: Draw,
    clients: u64,
    operations: usize,
    unknown: Unknown,
    mut invent: impl FnMut(&mut Draw) -> M::Op,
    mut apply: impl FnMut(&M::Op) -> M::Output,
) -> TypedHistory<M::Op, M::Output> {
    let mut history = TypedHistory::new();
    let is_lost = |draw: &mut Draw| {
        let chances = if unknown.may_lack_effect { 2_000 } else { 1_000 };
        draw.below(chances) < unknown.of_a_thousand
    };
    // For each client: its process id, and its operation if one is under way.
    let mut processes: Vec<u64> = (0..clients).collect();
    let mut running: Vec<Option<Running<M>>> = (0..clients).map(|_| None).collect();
    while history.entries().len() < operations || running.iter().any(Option::is_some) {
        let client = draw.below(clients) as usize;
        let process = processes[client];
        match running[client].take() {
            None if history.entries().len() < operations => {
                let op = invent(&mut draw);
                history.call(process, op.clone()).expect("the client is idle");
                running[client] = Some((op, None));
            }
            None => {}
            Some((_, output)) if (output.is_some() || unknown.may_lack_effect) && is_lost(&mut draw) => {
                history.give_up(process).expect("the client has called");
                // As in Jepsen's tests, a process that gave up is not heard of again.
                processes[client] += clients;
            }
            Some((op, None)) => {
                let output = apply(&op);
                running[client] = Some((op, Some(output)));
            }
            Some((_, Some(output))) => history.ret(process, output).expect("the client has called"),
        }
    }
    history
}

/// What a real register would show. Half of the operations read, a quarter write one of five values, a quarter compare and
/// set. Of a thousand, `unknown` do not return.
pub fn register(seed: Seed, clients: u64, operations: usize, unknown: u64) -> Registered {
    let unknown = Unknown { of_a_thousand: unknown, may_lack_effect: false };
    let invent = |draw: &mut Draw| {
        let (a, b) = (draw.below(5) as u32, draw.below(5) as u32);
        match draw.below(4) {
            0 | 1 => RegisterOp::Read,
            2 => RegisterOp::Write(a),
            _ => RegisterOp::CompareAndSet(a, b),
        }
    };
    let mut value = 0;
    shown_by_clients::<Register<u32>>(Draw::new(seed), clients, operations, unknown, invent, |op| match op {
        RegisterOp::Read => RegisterOutput::Value(value),
        RegisterOp::Write(new) => {
            value = *new;
            RegisterOutput::Done
        }
        RegisterOp::CompareAndSet(expected, new) => {
            let is_there = *expected == value;
            value = if is_there { *new } else { value };
            RegisterOutput::Swapped(is_there)
        }
    })
}

/// How a history is made wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A read returns a value that nobody ever wrote.
    FromNowhere,
    /// A read returns a value that was overwritten before it was called, and not written again.
    StaleRead,
    /// A compare-and-set claims to have found such a value: what was written since is lost.
    LostUpdate,
}

/// Makes a history certainly wrong in its second half, or in the first if that is not possible.
pub fn spoil(seed: Seed, history: &mut Registered, mistake: Mistake) {
    let mut entries = history.entries().to_vec();
    let mut draw = Draw::new(seed);
    let count = entries.len() as u64;
    for attempt in 0_u64.. {
        let half = if attempt < 1_000 { count / 2 } else { 0 };
        let chosen = (half + draw.below(count - half)) as usize;
        let value = draw.below(5) as u32;
        let output = match (mistake, &entries[chosen].op, &entries[chosen].ret) {
            (Mistake::FromNowhere, RegisterOp::Read, Some(_)) => RegisterOutput::Value(77),
            (Mistake::StaleRead, RegisterOp::Read, Some(_)) if is_gone(&entries, chosen, value) => {
                RegisterOutput::Value(value)
            }
            (Mistake::LostUpdate, RegisterOp::CompareAndSet(a, b), Some((_, RegisterOutput::Swapped(false))))
                if a != b && is_gone(&entries, chosen, *a) =>
            {
                RegisterOutput::Swapped(true)
            }
            _ => continue,
        };
        let ret = entries[chosen].ret.as_ref().map(|(ret, _)| *ret);
        entries[chosen].ret = ret.zip(Some(output));
        *history = TypedHistory::from_entries(entries).expect("only an output has changed");
        return;
    }
}

/// Whether a value was overwritten before an operation was called, and not written again before it returned.
fn is_gone(entries: &[HistoryEntry<RegisterOp<u32>, RegisterOutput<u32>>], index: usize, value: u32) -> bool {
    let Some((ret, _)) = entries[index].ret else { return false };
    let makes_it = |entry: &&HistoryEntry<RegisterOp<u32>, RegisterOutput<u32>>| {
        let writes = matches!(entry.op, RegisterOp::Write(new) | RegisterOp::CompareAndSet(_, new) if new == value);
        writes && entry.call <= ret && !matches!(entry.ret, Some((_, RegisterOutput::Swapped(false))))
    };
    let mut last = 0;
    for entry in entries.iter().filter(makes_it) {
        let Some((ret, _)) = entry.ret else { return false };
        last = last.max(ret);
    }
    entries.iter().any(|entry| {
        let is_other = matches!(entry.op, RegisterOp::Write(new) if new != value);
        is_other && entry.call > last && entry.ret.as_ref().is_some_and(|(ret, _)| *ret < entries[index].call)
    })
}

/// What a real queue of unique values would show. Somewhat more than half of the operations enqueue. Of a thousand, `unknown`
/// do not return, and some of those that are never heard of had no effect.
pub fn queue(
    seed: Seed,
    clients: u64,
    operations: usize,
    unknown: u64,
) -> TypedHistory<QueueOp<u64>, QueueOutput<u64>> {
    let unknown = Unknown { of_a_thousand: unknown, may_lack_effect: true };
    let mut next = 0;
    let invent = |draw: &mut Draw| {
        let is_enqueue = draw.below(100) < 52;
        next += u64::from(is_enqueue);
        if is_enqueue { QueueOp::Enqueue(next) } else { QueueOp::Dequeue }
    };
    let mut values = VecDeque::new();
    shown_by_clients::<Queue<u64>>(Draw::new(seed), clients, operations, unknown, invent, |op| match op {
        QueueOp::Enqueue(value) => {
            values.push_back(*value);
            QueueOutput::Done
        }
        QueueOp::Dequeue => QueueOutput::Taken(values.pop_front()),
    })
}

/// Makes a queue wrong: two dequeues, one of which returned before the other was called, take each other's values.
pub fn spoil_queue(seed: Seed, history: &mut TypedHistory<QueueOp<u64>, QueueOutput<u64>>) {
    let mut entries = history.entries().to_vec();
    let span = |value: u64| {
        let enqueue = entries.iter().find(|entry| entry.op == QueueOp::Enqueue(value)).expect("it was enqueued");
        (enqueue.call, enqueue.ret.as_ref().map(|(ret, _)| *ret))
    };
    let taken: Vec<(usize, u64)> = (0..entries.len())
        .filter_map(|index| match entries[index].ret {
            Some((_, QueueOutput::Taken(Some(value)))) => Some((index, value)),
            _ => None,
        })
        .collect();
    let mut pairs = Vec::new();
    for (place, (first, older)) in taken.iter().enumerate() {
        for (second, younger) in taken[place + 1..].iter().take(20) {
            let returned = entries[*first].ret.as_ref().map(|(ret, _)| *ret);
            let is_later = returned < Some(entries[*second].call);
            if is_later && span(*older).1.is_some_and(|ret| ret < span(*younger).0) {
                pairs.push((*first, *second));
            }
        }
    }
    let (first, second) = pairs[Draw::new(seed).below(pairs.len() as u64) as usize];
    let outputs = [first, second].map(|index| entries[index].ret.as_ref().map(|(_, output)| output.clone()));
    for (index, output) in [second, first].into_iter().zip(outputs) {
        let at = entries[index].ret.as_ref().map(|(ret, _)| *ret);
        entries[index].ret = at.zip(output);
    }
    *history = TypedHistory::from_entries(entries).expect("only outputs have changed");
}

/// So many writes of so many values, all at once, and then a read of the one that returned last.
pub fn all_at_once(clients: u32) -> Registered {
    let mut history = TypedHistory::new();
    for client in 0..clients {
        history.call(client.into(), RegisterOp::Write(client + 1)).expect("the client is idle");
    }
    for client in 0..clients {
        history.ret(client.into(), RegisterOutput::Done).expect("the client has called");
    }
    history.call(0, RegisterOp::Read).expect("the client is idle");
    history.ret(0, RegisterOutput::Value(clients)).expect("the client has called");
    history
}
