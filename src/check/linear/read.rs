//! Readers of histories that other tools recorded: Jepsen's `history.edn`, `history.txt` and `jepsen.log`, old and new,
//! and what else has their form, as Knossos' and porcupine's examples.
//!
//! An operation begins with `:invoke`, whose value is what to write; the value of a called read says nothing. It ends
//! with `:ok`, or with `:fail`, which means that it did not happen, or with `:info`, which leaves its outcome unknown, as
//! the end of the file does. Events of `:nemesis` and of other processes without a number are skipped.
//!
//! What cannot be read is refused, with its line and the reason.

mod datum;
mod events;
mod keys;
mod parse_error;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use self::events::{Event, Kind};
use self::parse_error::beginning;
use super::models::{
    KeyValueAction, KeyValueOp, KeyValueOutput, MultiRegisterAccess, MultiRegisterOp, MutexOp, QueueOp, QueueOutput,
    RegisterOp, RegisterOutput, SetOp, SetOutput,
};
use super::{InvalidHistory, TypedHistory};

pub use datum::Datum;
pub use parse_error::ParseError;

/// What `:fail` says of a `:cas` in a history of a register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailedCas {
    /// It did not happen, as any operation that fails.
    #[default]
    DidNotHappen,
    /// It found another value than the expected one, unless an error stands in the place of its value. Jepsen's early
    /// logs of etcd have this meaning.
    FoundAnotherValue,
}

/// A history of a register.
pub type RegisterHistory = TypedHistory<RegisterOp<Datum>, RegisterOutput<Datum>>;

/// A history of a map.
pub type KeyValueHistory = TypedHistory<KeyValueOp, KeyValueOutput>;

/// Reads a value, for example the initial one of a register.
///
/// # Errors
/// Fails if the text is not one value in EDN.
pub fn datum(text: &str) -> Result<Datum, String> {
    let read = clojure_reader::edn::read_string(text);
    read.map(|edn| Datum::of(&edn)).map_err(|_| format!("`{}` is not a value in EDN", beginning(text)))
}

/// Reads a history of a register: `:read`, `:write` and, with compare-and-set, `:cas [EXPECTED NEW]`.
///
/// # Errors
/// Fails if an event cannot be read or cannot follow those before it, or if there is no operation at all.
pub fn register(text: &str, failed_cas: FailedCas) -> Result<RegisterHistory, ParseError> {
    register_of(&events(text)?, failed_cas)
}

/// Reads the histories of independent registers, one for each key, as `jepsen.independent` writes them: each value is a
/// pair of the key and the value of an operation on its register, for example `[KEY nil]` of a called `:read`.
///
/// # Errors
/// As [`register`], and if the value of a call has no key.
pub fn register_by_key(text: &str, failed_cas: FailedCas) -> Result<BTreeMap<Datum, RegisterHistory>, ParseError> {
    let by_key = keys::split(events(text)?)?;
    by_key.into_iter().map(|(key, events)| Ok((key, register_of(&events, failed_cas)?))).collect()
}

/// Whether a history of a register seems to be one of [`register_by_key`]: there are called reads, and each is of
/// `[KEY nil]`.
///
/// # Errors
/// Fails if an event cannot be read.
pub fn has_keys(text: &str) -> Result<bool, ParseError> {
    Ok(keys::are_in(&events(text)?))
}

fn register_of(events: &[Event<'_>], failed_cas: FailedCas) -> Result<RegisterHistory, ParseError> {
    history_of(events, |history, event| {
        let begin = |event: &Event<'_>| match &*event.function {
            "read" => Ok(RegisterOp::Read),
            "write" => Ok(RegisterOp::Write(value(event)?.clone())),
            "cas" => {
                let (expected, new) = pair(value(event)?)?;
                Ok(RegisterOp::CompareAndSet(expected, new))
            }
            other => Err(format!("`:{other}` is not :read, :write or :cas")),
        };
        let Some(op) = called(history, event, begin)? else { return Ok(()) };
        match (&op, event.kind) {
            (RegisterOp::Read, Kind::Ok) => {
                let value = value(event)?.clone();
                history.ret(event.process, RegisterOutput::Value(value)).map_err(text_of)
            }
            (RegisterOp::Read, _) => without_output(history, event),
            (RegisterOp::Write(written), _) => {
                repeats(event, &op, written)?;
                end(history, event, RegisterOutput::Done)
            }
            (RegisterOp::CompareAndSet(expected, new), kind) => {
                let whole = Datum::List([expected.clone(), new.clone()].into());
                repeats(event, &op, &whole)?;
                let is_observed = failed_cas == FailedCas::FoundAnotherValue && event.value.as_ref() == Some(&whole);
                match kind {
                    Kind::Ok => history.ret(event.process, RegisterOutput::Swapped(true)).map_err(text_of),
                    Kind::Fail if is_observed => {
                        history.ret(event.process, RegisterOutput::Swapped(false)).map_err(text_of)
                    }
                    _ => without_output(history, event),
                }
            }
        }
    })
}

/// Reads a history of a lock: `:acquire` and `:release`, whose values are ignored.
///
/// # Errors
/// Fails if an event cannot be read or cannot follow those before it, or if there is no operation at all.
pub fn mutex(text: &str) -> Result<TypedHistory<MutexOp, ()>, ParseError> {
    history(text, |history, event| {
        let begin = |event: &Event<'_>| match &*event.function {
            "acquire" => Ok(MutexOp::Acquire),
            "release" => Ok(MutexOp::Release),
            other => Err(format!("`:{other}` is not :acquire or :release")),
        };
        match called(history, event, begin)? {
            Some(_) => end(history, event, ()),
            None => Ok(()),
        }
    })
}

/// A history of several registers.
pub type MultiRegisterHistory = TypedHistory<MultiRegisterOp<Datum, Datum>, Vec<Option<Datum>>>;

/// Reads a history of several registers, which transactions read and write: `:txn [[:read KEY VALUE] [:write KEY
/// VALUE]]`, also as `:r` and `:w`. A register that was never written has the value `nil`.
///
/// # Errors
/// Fails if an event cannot be read or cannot follow those before it, or if there is no operation at all.
pub fn multi_register(text: &str) -> Result<MultiRegisterHistory, ParseError> {
    history(text, |history, event| {
        let begin = |event: &Event<'_>| match &*event.function {
            "txn" => Ok(MultiRegisterOp(accesses(value(event)?)?.into_iter().map(|(access, _)| access).collect())),
            other => Err(format!("`:{other}` is not :txn")),
        };
        let Some(op) = called(history, event, begin)? else { return Ok(()) };
        if event.kind != Kind::Ok {
            return without_output(history, event);
        }
        let (returned, values): (Vec<_>, Vec<_>) = accesses(value(event)?)?.into_iter().unzip();
        let op = op.clone();
        if returned != op.0 {
            return Err(format!(
                "process {} called {op:?}, but {:?} returns",
                event.process,
                MultiRegisterOp(returned)
            ));
        }
        let reads = op.0.iter().zip(values).filter(|(access, _)| matches!(access, MultiRegisterAccess::Read(_)));
        let reads = reads.map(|(_, value)| (value != Datum::Nil).then_some(value)).collect();
        history.ret(event.process, reads).map_err(text_of)
    })
}

/// One access of a transaction, and its value.
type AccessAndValue = (MultiRegisterAccess<Datum, Datum>, Datum);

/// The accesses of a transaction, each with its value.
fn accesses(value: &Datum) -> Result<Vec<AccessAndValue>, String> {
    let wrong =
        || format!("`{}` is not a list of [:read KEY nil] and [:write KEY VALUE]", beginning(&value.to_string()));
    let access = |access: &Datum| {
        let Datum::List(parts) = access else { return Err(wrong()) };
        let [Datum::Keyword(function), key, value] = &**parts else { return Err(wrong()) };
        match &**function {
            ":read" | ":r" => Ok((MultiRegisterAccess::Read(key.clone()), value.clone())),
            ":write" | ":w" => Ok((MultiRegisterAccess::Write(key.clone(), value.clone()), value.clone())),
            _ => Err(wrong()),
        }
    };
    match value {
        Datum::List(items) => items.iter().map(access).collect(),
        _ => Err(wrong()),
    }
}

/// Reads a history of a map from texts to texts: `:get`, `:put` and `:append` with a `:key`.
///
/// # Errors
/// Fails if an event cannot be read or cannot follow those before it, or if there is no operation at all.
pub fn key_value(text: &str) -> Result<KeyValueHistory, ParseError> {
    history(text, |history, event| {
        let begin = |event: &Event<'_>| {
            let written = || string("value", event.value.as_ref());
            let action = match &*event.function {
                "get" => KeyValueAction::Get,
                "put" => KeyValueAction::Put(written()?),
                "append" => KeyValueAction::Append(written()?),
                other => return Err(format!("`:{other}` is not :get, :put or :append")),
            };
            Ok(KeyValueOp { key: string("key", event.key.as_ref())?, action })
        };
        let Some(op) = called(history, event, begin)? else { return Ok(()) };
        if string("key", event.key.as_ref())? != op.key {
            return Err(format!("process {} called {op:?}, but key {:?} returns", event.process, event.key));
        }
        let output = match &op.action {
            KeyValueAction::Get if event.kind == Kind::Ok => {
                KeyValueOutput::Text(string("value", event.value.as_ref())?)
            }
            KeyValueAction::Get => return without_output(history, event),
            KeyValueAction::Put(written) | KeyValueAction::Append(written) => {
                repeats(event, &op, &Datum::Text(written.as_str().into()))?;
                KeyValueOutput::Done
            }
        };
        end(history, event, output)
    })
}

/// Reads a history of a set: `:add VALUE`, `:remove VALUE` and `:read`, which returns all values as a set or a list.
///
/// # Errors
/// Fails if an event cannot be read or cannot follow those before it, or if there is no operation at all.
pub fn set(text: &str) -> Result<TypedHistory<SetOp<Datum>, SetOutput<Datum>>, ParseError> {
    history(text, |history, event| {
        let begin = |event: &Event<'_>| match &*event.function {
            "add" => Ok(SetOp::Add(value(event)?.clone())),
            "remove" => Ok(SetOp::Remove(value(event)?.clone())),
            "read" => Ok(SetOp::Read),
            other => Err(format!("`:{other}` is not :add, :remove or :read")),
        };
        let Some(op) = called(history, event, begin)? else { return Ok(()) };
        let output = match &op {
            SetOp::Add(written) | SetOp::Remove(written) => {
                repeats(event, &op, written)?;
                SetOutput::Done
            }
            _ if event.kind == Kind::Ok => {
                let found = value(event)?;
                let items = found.items().ok_or_else(|| format!("`{}` is not a set", beginning(&found.to_string())))?;
                SetOutput::Values(items.into_iter().collect::<BTreeSet<_>>())
            }
            _ => return without_output(history, event),
        };
        end(history, event, output)
    })
}

/// Reads a history of a queue: `:enqueue VALUE`; `:dequeue`, which returns a value, or `nil` if it found none; and
/// `:drain`, which returns a list of values and stands for as many dequeues, one after the other.
///
/// # Errors
/// Fails if an event cannot be read or cannot follow those before it, or if there is no operation at all.
pub fn queue(text: &str) -> Result<TypedHistory<QueueOp<Datum>, QueueOutput<Datum>>, ParseError> {
    let mut draining = BTreeSet::new();
    history(text, |history, event| {
        if event.function == "drain" {
            return drain(history, event, &mut draining);
        }
        let begin = |event: &Event<'_>| match &*event.function {
            "enqueue" => Ok(QueueOp::Enqueue(value(event)?.clone())),
            "dequeue" => Ok(QueueOp::Dequeue),
            other => Err(format!("`:{other}` is not :enqueue, :dequeue or :drain")),
        };
        let Some(op) = called(history, event, begin)? else { return Ok(()) };
        let output = match &op {
            QueueOp::Enqueue(written) => {
                repeats(event, &op, written)?;
                QueueOutput::Done
            }
            QueueOp::Dequeue if event.kind == Kind::Ok => {
                let taken = value(event)?;
                QueueOutput::Taken((*taken != Datum::Nil).then(|| taken.clone()))
            }
            QueueOp::Dequeue => return without_output(history, event),
        };
        end(history, event, output)
    })
}

fn drain(
    history: &mut TypedHistory<QueueOp<Datum>, QueueOutput<Datum>>,
    event: &Event<'_>,
    draining: &mut BTreeSet<u64>,
) -> Result<(), String> {
    let process = event.process;
    if event.kind == Kind::Invoke {
        return if draining.insert(process) && history.open_call(process).is_none() {
            Ok(())
        } else {
            Err(InvalidHistory::TwoCalls(process).to_string())
        };
    }
    if !draining.remove(&process) {
        return Err(InvalidHistory::NoCall(process).to_string());
    }
    match event.kind {
        Kind::Info => Err("a :drain whose outcome is unknown cannot be judged".to_owned()),
        Kind::Fail => Ok(()),
        Kind::Invoke | Kind::Ok => {
            let found = value(event)?;
            let items = found.items().ok_or_else(|| format!("`{}` is not a list", beginning(&found.to_string())))?;
            items.into_iter().try_for_each(|item| {
                history.call(process, QueueOp::Dequeue).map_err(text_of)?;
                history.ret(process, QueueOutput::Taken(Some(item))).map_err(text_of)
            })
        }
    }
}

/// Reads a history event by event.
fn history<Op, Output>(
    text: &str,
    add: impl FnMut(&mut TypedHistory<Op, Output>, &Event<'_>) -> Result<(), String>,
) -> Result<TypedHistory<Op, Output>, ParseError> {
    history_of(&events(text)?, add)
}

/// The events of a file, which must have some.
fn events(text: &str) -> Result<Vec<Event<'_>>, ParseError> {
    let events = events::events(text)?;
    if events.is_empty() {
        let reason = "the history ends without any operation".to_owned();
        return Err(ParseError { line: text.lines().count().max(1), reason });
    }
    Ok(events)
}

fn history_of<Op, Output>(
    events: &[Event<'_>],
    mut add: impl FnMut(&mut TypedHistory<Op, Output>, &Event<'_>) -> Result<(), String>,
) -> Result<TypedHistory<Op, Output>, ParseError> {
    let mut history = TypedHistory::new();
    let mut open: BTreeMap<u64, Cow<'_, str>> = BTreeMap::new();
    for event in events {
        let refuse = |reason| ParseError { line: event.line, reason };
        if event.kind == Kind::Invoke {
            open.insert(event.process, event.function.clone());
        } else if let Some(called) = open.remove(&event.process)
            && called != event.function
        {
            let (process, returning) = (event.process, &event.function);
            return Err(refuse(format!("process {process} called :{called}, but :{returning} returns")));
        }
        add(&mut history, event).map_err(refuse)?;
    }
    Ok(history)
}

/// Adds a call; at a return, the operation that the process called.
fn called<Op: Clone, Output>(
    history: &mut TypedHistory<Op, Output>,
    event: &Event<'_>,
    begin: impl Fn(&Event<'_>) -> Result<Op, String>,
) -> Result<Option<Op>, String> {
    if event.kind == Kind::Invoke {
        return history.call(event.process, begin(event)?).map_err(text_of).map(|()| None);
    }
    let called = history.open_call(event.process).cloned();
    called.map(Some).ok_or_else(|| InvalidHistory::NoCall(event.process).to_string())
}

/// Adds the return of an operation whose output is known if it was acknowledged.
fn end<Op, Output>(history: &mut TypedHistory<Op, Output>, event: &Event<'_>, output: Output) -> Result<(), String> {
    match event.kind {
        Kind::Ok => history.ret(event.process, output).map_err(text_of),
        _ => without_output(history, event),
    }
}

fn without_output<Op, Output>(history: &mut TypedHistory<Op, Output>, event: &Event<'_>) -> Result<(), String> {
    match event.kind {
        Kind::Fail => history.fail(event.process),
        _ => history.give_up(event.process),
    }
    .map_err(text_of)
}

/// Checks that an operation returns with the value that it was called with. There may also be none, and, unless it is
/// acknowledged, an error in its place.
fn repeats(event: &Event<'_>, op: &impl Debug, called: &Datum) -> Result<(), String> {
    match &event.value {
        None | Some(Datum::Nil) => Ok(()),
        Some(value) if value == called => Ok(()),
        Some(Datum::Int(_) | Datum::List(_)) => Err(differs(event, op)),
        Some(_) if event.kind == Kind::Ok => Err(differs(event, op)),
        Some(_) => Ok(()),
    }
}

fn differs(event: &Event<'_>, op: &impl Debug) -> String {
    let (process, function) = (event.process, &event.function);
    let value = event.value.as_ref().map(Datum::to_string).unwrap_or_default();
    format!("process {process} called {op:?}, but :{function} {value} returns")
}

fn value<'a>(event: &'a Event<'_>) -> Result<&'a Datum, String> {
    event.value.as_ref().ok_or_else(|| "`:value` is missing".to_owned())
}

fn string(name: &str, value: Option<&Datum>) -> Result<String, String> {
    match value {
        Some(Datum::Text(text)) => Ok(text.to_string()),
        Some(other) => Err(format!("`:{name}` is `{other}`, but a string in quotation marks is expected")),
        None => Err(format!("`:{name}` is missing")),
    }
}

fn pair(value: &Datum) -> Result<(Datum, Datum), String> {
    match value {
        Datum::List(items) if items.len() == 2 => Ok((items[0].clone(), items[1].clone())),
        _ => Err(format!("`{}` is not a pair such as [1 2]", beginning(&value.to_string()))),
    }
}

fn text_of(error: InvalidHistory) -> String {
    error.to_string()
}
