//! Models of common objects.
//!
//! An operation with an output of another kind of operation is never possible.

mod multi_register;
mod mutex;
mod value;

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

use super::Model;

pub use multi_register::{MultiRegister, MultiRegisterAccess, MultiRegisterOp};
pub use mutex::{Mutex, MutexOp};
pub use value::Value;

/// A register with compare-and-set.
#[derive(Clone, Debug)]
pub struct Register<V>(V);

impl<V> Register<V> {
    /// A register with this initial value.
    pub fn new(first: V) -> Register<V> {
        Register(first)
    }
}

/// An operation on a register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOp<V> {
    /// Reads the value: [`RegisterOutput::Value`].
    Read,
    /// Writes a value: [`RegisterOutput::Done`].
    Write(V),
    /// Replaces the first value, if it is there, with the second: [`RegisterOutput::Swapped`].
    CompareAndSet(V, V),
}

/// The output of a register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOutput<V> {
    /// The value that was read.
    Value(V),
    /// The value was written.
    Done,
    /// Whether the expected value was there and was replaced.
    Swapped(bool),
}

impl<V: Value> Model for Register<V> {
    type State = V;
    type Op = RegisterOp<V>;
    type Output = RegisterOutput<V>;
    type Key = ();

    fn key(&self, _: &RegisterOp<V>) {}

    fn init(&self) -> V {
        self.0.clone()
    }

    fn step(&self, state: &V, op: &RegisterOp<V>, output: Option<&RegisterOutput<V>>) -> Option<V> {
        use RegisterOp::{CompareAndSet, Read, Write};
        use RegisterOutput::{Done, Swapped, Value};
        match (op, output) {
            (Read, None) => Some(state.clone()),
            (Read, Some(Value(value))) => (value == state).then(|| state.clone()),
            (Write(value), None | Some(Done)) => Some(value.clone()),
            (CompareAndSet(expected, new), None) => Some(if expected == state { new } else { state }.clone()),
            (CompareAndSet(expected, new), Some(Swapped(true))) => (expected == state).then(|| new.clone()),
            (CompareAndSet(expected, _), Some(Swapped(false))) => (expected != state).then(|| state.clone()),
            _ => None,
        }
    }

    fn is_observer(&self, op: &RegisterOp<V>, output: Option<&RegisterOutput<V>>) -> bool {
        matches!(op, RegisterOp::Read) || matches!(output, Some(RegisterOutput::Swapped(false)))
    }

    fn needs(&self, op: &RegisterOp<V>, output: &RegisterOutput<V>) -> Option<V> {
        match (op, output) {
            (RegisterOp::Read, RegisterOutput::Value(value)) => Some(value.clone()),
            (RegisterOp::CompareAndSet(expected, _), RegisterOutput::Swapped(true)) => Some(expected.clone()),
            _ => None,
        }
    }

    fn leads_to(&self, op: &RegisterOp<V>) -> Option<V> {
        match op {
            RegisterOp::Read => None,
            RegisterOp::Write(value) | RegisterOp::CompareAndSet(_, value) => Some(value.clone()),
        }
    }

    fn may_lead(&self, _: &V, _: &V) -> bool {
        false
    }
}

/// A map from keys to texts, all of which are empty initially.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyValue;

/// An operation on one key of a map.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyValueOp {
    /// The key. Each key is judged separately.
    pub key: String,
    /// What the operation does with the text of the key.
    pub action: KeyValueAction,
}

/// What an operation does with the text of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValueAction {
    /// Reads it: [`KeyValueOutput::Text`].
    Get,
    /// Replaces it: [`KeyValueOutput::Done`].
    Put(String),
    /// Appends to it: [`KeyValueOutput::Done`].
    Append(String),
}

/// The output of a map.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValueOutput {
    /// The text that was read.
    Text(String),
    /// The text was written.
    Done,
}

impl Model for KeyValue {
    type State = String;
    type Op = KeyValueOp;
    type Output = KeyValueOutput;
    type Key = String;

    fn key(&self, op: &KeyValueOp) -> String {
        op.key.clone()
    }

    fn init(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, op: &KeyValueOp, output: Option<&KeyValueOutput>) -> Option<String> {
        match (&op.action, output) {
            (KeyValueAction::Get, None) => Some(state.clone()),
            (KeyValueAction::Get, Some(KeyValueOutput::Text(text))) => (text == state).then(|| state.clone()),
            (KeyValueAction::Put(text), None | Some(KeyValueOutput::Done)) => Some(text.clone()),
            (KeyValueAction::Append(text), None | Some(KeyValueOutput::Done)) => {
                let mut longer = String::with_capacity(state.len() + text.len());
                longer.push_str(state);
                longer.push_str(text);
                Some(longer)
            }
            _ => None,
        }
    }

    fn is_observer(&self, op: &KeyValueOp, _: Option<&KeyValueOutput>) -> bool {
        op.action == KeyValueAction::Get
    }

    fn needs(&self, _: &KeyValueOp, output: &KeyValueOutput) -> Option<String> {
        match output {
            KeyValueOutput::Text(text) => Some(text.clone()),
            KeyValueOutput::Done => None,
        }
    }

    fn leads_to(&self, op: &KeyValueOp) -> Option<String> {
        match &op.action {
            KeyValueAction::Put(text) => Some(text.clone()),
            KeyValueAction::Get | KeyValueAction::Append(_) => None,
        }
    }

    fn may_lead(&self, from: &String, to: &String) -> bool {
        to.starts_with(from.as_str())
    }

    fn allows(&self, state: &String, op: &KeyValueOp, output: &KeyValueOutput) -> bool {
        match (&op.action, output) {
            (KeyValueAction::Get, KeyValueOutput::Text(text)) => text == state,
            (KeyValueAction::Put(_) | KeyValueAction::Append(_), KeyValueOutput::Done) => true,
            _ => false,
        }
    }
}

/// A counter that starts at 0. It wraps around at the limits of an `i64`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

/// An operation on a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterOp {
    /// Reads it: [`CounterOutput::Value`].
    Read,
    /// Adds to it: [`CounterOutput::Done`].
    Add(i64),
    /// Adds to it and reads the sum: [`CounterOutput::Value`].
    AddAndRead(i64),
}

/// The output of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterOutput {
    /// The number that was read.
    Value(i64),
    /// The number was added.
    Done,
}

impl Model for Counter {
    type State = i64;
    type Op = CounterOp;
    type Output = CounterOutput;
    type Key = ();

    fn key(&self, _: &CounterOp) {}

    fn init(&self) -> i64 {
        0
    }

    fn step(&self, state: &i64, op: &CounterOp, output: Option<&CounterOutput>) -> Option<i64> {
        let after = match op {
            CounterOp::Read => *state,
            CounterOp::Add(number) | CounterOp::AddAndRead(number) => state.wrapping_add(*number),
        };
        let is_possible = match (op, output) {
            (_, None) | (CounterOp::Add(_), Some(CounterOutput::Done)) => true,
            (CounterOp::Read | CounterOp::AddAndRead(_), Some(CounterOutput::Value(value))) => *value == after,
            _ => false,
        };
        is_possible.then_some(after)
    }

    fn is_observer(&self, op: &CounterOp, _: Option<&CounterOutput>) -> bool {
        matches!(op, CounterOp::Read | CounterOp::Add(0) | CounterOp::AddAndRead(0))
    }
}

/// A set.
#[derive(Clone, Debug)]
pub struct Set<V>(BTreeSet<V>);

/// A set that is empty initially.
impl<V> Default for Set<V> {
    fn default() -> Set<V> {
        Set(BTreeSet::new())
    }
}

impl<V: Value> Set<V> {
    /// A set that has these values initially.
    pub fn of(values: impl IntoIterator<Item = V>) -> Set<V> {
        Set(values.into_iter().collect())
    }
}

/// An operation on a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetOp<V> {
    /// Adds a value: [`SetOutput::Done`].
    Add(V),
    /// Removes a value, which need not be there: [`SetOutput::Done`].
    Remove(V),
    /// Asks whether a value is in the set: [`SetOutput::Has`].
    Contains(V),
    /// Reads all values: [`SetOutput::Values`].
    Read,
}

/// The output of a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetOutput<V> {
    /// The value was added or removed.
    Done,
    /// Whether the value is in the set.
    Has(bool),
    /// All values.
    Values(BTreeSet<V>),
}

impl<V: Value> Model for Set<V> {
    type State = BTreeSet<V>;
    type Op = SetOp<V>;
    type Output = SetOutput<V>;
    type Key = ();

    fn key(&self, _: &SetOp<V>) {}

    fn init(&self) -> BTreeSet<V> {
        self.0.clone()
    }

    fn step(&self, state: &BTreeSet<V>, op: &SetOp<V>, output: Option<&SetOutput<V>>) -> Option<BTreeSet<V>> {
        if output.is_some_and(|output| !self.allows(state, op, output)) {
            return None;
        }
        let mut after = state.clone();
        match op {
            SetOp::Add(value) => {
                after.insert(value.clone());
            }
            SetOp::Remove(value) => {
                after.remove(value);
            }
            SetOp::Contains(_) | SetOp::Read => {}
        }
        Some(after)
    }

    fn is_observer(&self, op: &SetOp<V>, _: Option<&SetOutput<V>>) -> bool {
        matches!(op, SetOp::Contains(_) | SetOp::Read)
    }

    fn allows(&self, state: &BTreeSet<V>, op: &SetOp<V>, output: &SetOutput<V>) -> bool {
        match (op, output) {
            (SetOp::Add(_) | SetOp::Remove(_), SetOutput::Done) => true,
            (SetOp::Contains(value), SetOutput::Has(has)) => state.contains(value) == *has,
            (SetOp::Read, SetOutput::Values(values)) => values == state,
            _ => false,
        }
    }
}

/// A first-in, first-out queue.
#[derive(Clone, Debug)]
pub struct Queue<V>(VecDeque<V>);

/// A queue that is empty initially.
impl<V> Default for Queue<V> {
    fn default() -> Queue<V> {
        Queue(VecDeque::new())
    }
}

impl<V: Value> Queue<V> {
    /// A queue that has these values initially, the oldest first.
    pub fn of(values: impl IntoIterator<Item = V>) -> Queue<V> {
        Queue(values.into_iter().collect())
    }
}

/// An operation on a queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueOp<V> {
    /// Adds a value: [`QueueOutput::Done`].
    Enqueue(V),
    /// Takes the oldest value: [`QueueOutput::Taken`].
    Dequeue,
}

/// The output of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueOutput<V> {
    /// The value was added.
    Done,
    /// The value that was taken; `None` if the queue was empty.
    Taken(Option<V>),
}

impl<V: Value> Model for Queue<V> {
    type State = VecDeque<V>;
    type Op = QueueOp<V>;
    type Output = QueueOutput<V>;
    type Key = ();

    fn key(&self, _: &QueueOp<V>) {}

    fn init(&self) -> VecDeque<V> {
        self.0.clone()
    }

    fn step(&self, state: &VecDeque<V>, op: &QueueOp<V>, output: Option<&QueueOutput<V>>) -> Option<VecDeque<V>> {
        if output.is_some_and(|output| !self.allows(state, op, output)) {
            return None;
        }
        let mut after = state.clone();
        match op {
            QueueOp::Enqueue(value) => after.push_back(value.clone()),
            QueueOp::Dequeue => drop(after.pop_front()),
        }
        Some(after)
    }

    fn is_observer(&self, _: &QueueOp<V>, output: Option<&QueueOutput<V>>) -> bool {
        // A dequeue that found the queue empty leaves it unchanged.
        output == Some(&QueueOutput::Taken(None))
    }

    fn allows(&self, state: &VecDeque<V>, op: &QueueOp<V>, output: &QueueOutput<V>) -> bool {
        match (op, output) {
            (QueueOp::Enqueue(_), QueueOutput::Done) => true,
            (QueueOp::Dequeue, QueueOutput::Taken(taken)) => state.front() == taken.as_ref(),
            _ => false,
        }
    }
}
