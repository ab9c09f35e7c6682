//! Histories of independent objects in one file, as `jepsen.independent` makes them: each value is a pair `[KEY VALUE]`.

use std::collections::BTreeMap;

use super::datum::Datum;
use super::events::{Event, Kind};
use super::parse_error::{ParseError, beginning};
use crate::check::linear::InvalidHistory;

/// Whether each called read, of which there are some, is of a pair `[KEY nil]`.
pub(super) fn are_in(events: &[Event<'_>]) -> bool {
    let mut reads = events.iter().filter(|event| event.kind == Kind::Invoke && event.function == "read").peekable();
    let is_keyed = |event: &Event<'_>| matches!(event.value.as_ref().and_then(pair), Some((_, Datum::Nil)));
    reads.peek().is_some() && reads.all(is_keyed)
}

/// The events of each key, with the values alone.
pub(super) fn split(events: Vec<Event<'_>>) -> Result<BTreeMap<Datum, Vec<Event<'_>>>, ParseError> {
    let mut by_key: BTreeMap<Datum, Vec<Event<'_>>> = BTreeMap::new();
    let mut open: BTreeMap<u64, Datum> = BTreeMap::new();
    for mut event in events {
        let line = event.line;
        let key = take_key(&mut event, &mut open).map_err(|reason| ParseError { line, reason })?;
        by_key.entry(key).or_default().push(event);
    }
    Ok(by_key)
}

/// The key of an event, whose value is then the value alone. `open` has the keys of the calls that have not returned: a
/// process calls one operation at a time, whatever the keys are.
fn take_key(event: &mut Event<'_>, open: &mut BTreeMap<u64, Datum>) -> Result<Datum, String> {
    let process = event.process;
    let found = event.value.as_ref().and_then(pair);
    if event.kind == Kind::Invoke {
        let text = || event.value.as_ref().map_or_else(|| "nothing".to_owned(), |value| beginning(&value.to_string()));
        let (key, value) = found.ok_or_else(|| format!("`{}` is not a pair of a key and a value", text()))?;
        if open.insert(process, key.clone()).is_some() {
            return Err(InvalidHistory::TwoCalls(process).to_string());
        }
        event.value = Some(value);
        return Ok(key);
    }
    let called = open.remove(&process).ok_or_else(|| InvalidHistory::NoCall(process).to_string())?;
    match found {
        Some((key, value)) if key == called => event.value = Some(value),
        Some((key, _)) => return Err(format!("process {process} called key {called}, but key {key} returns")),
        // In the place of the value stands nothing or an error, unless the operation was acknowledged.
        None if event.kind == Kind::Ok => {
            return Err(format!("process {process} called key {called}, but a value without a key returns"));
        }
        None => {}
    }
    Ok(called)
}

fn pair(value: &Datum) -> Option<(Datum, Datum)> {
    match value {
        Datum::List(items) => match &**items {
            [key, value] => Some((key.clone(), value.clone())),
            _ => None,
        },
        _ => None,
    }
}
