//! Where two runs of the same case part.

use std::fmt;

use crate::fault::duration_text;
use crate::history::{Completion, Operation};
use crate::run::Recording;
use crate::trace::{Event, FlowKey, HostId, Record};

/// How many records before the first that differs are shown.
const BEFORE: usize = 10;

/// The first difference between two runs of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Which record is the first that differs, from 0.
    pub index: usize,
    /// The records before it, which both runs have.
    pub common: Vec<String>,
    /// The record of the first run; none if it has ended.
    pub left: Option<String>,
    /// The record of the second run; none if it has ended.
    pub right: Option<String>,
}

impl Divergence {
    /// The first difference; none if the recordings are equal.
    pub fn between(left: &Recording, right: &Recording) -> Option<Divergence> {
        let line = |recording: &Recording, index: usize| {
            recording.records.get(index).map(|record| record_line(&recording.hosts, record))
        };
        Divergence::of_lists(&left.records, &right.records, |list_is_left, index| {
            line(if list_is_left { left } else { right }, index)
        })
        .or_else(|| {
            // The history is digested with the trace, so a difference may be there alone.
            let (a, b) = (&left.history.operations, &right.history.operations);
            Divergence::of_lists(a, b, |list_is_left, index| {
                if list_is_left { a } else { b }.get(index).map(|operation| operation_line(&left.hosts, operation))
            })
        })
    }

    fn of_lists<T: PartialEq>(
        left: &[T],
        right: &[T],
        line: impl Fn(bool, usize) -> Option<String>,
    ) -> Option<Divergence> {
        let longest = left.len().max(right.len());
        let index = (0..longest).find(|index| left.get(*index) != right.get(*index))?;
        let common = (index.saturating_sub(BEFORE)..index).filter_map(|index| line(true, index)).collect();
        Some(Divergence { index, common, left: line(true, index), right: line(false, index) })
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the runs part at record {}:", self.index)?;
        for line in &self.common {
            writeln!(f, "    both    {line}")?;
        }
        let ended = "(the run has ended)";
        writeln!(f, "    first   {}", self.left.as_deref().unwrap_or(ended))?;
        write!(f, "    second  {}", self.right.as_deref().unwrap_or(ended))
    }
}

fn name(hosts: &[String], host: HostId) -> &str {
    hosts.get(host.index()).map_or("?", String::as_str)
}

/// A record in one line, with all that it holds.
pub fn record_line(hosts: &[String], record: &Record) -> String {
    let host = record.host.map_or("-", |host| name(hosts, host));
    let flow = |flow: &FlowKey, forward: bool| {
        let arrow = if forward { "→" } else { "←" };
        format!("{} {arrow} {}:{} #{}", name(hosts, flow.from), name(hosts, flow.to), flow.port, flow.ordinal)
    };
    let event = match &record.event {
        Event::Sent { flow: key, forward, kind, length, digest } => {
            format!("sent {kind:?} {} of {length} bytes, digest {digest:016x}", flow(key, *forward))
        }
        Event::Arrived { flow: key, forward, kind } => format!("arrived {kind:?} {}", flow(key, *forward)),
        Event::Bitten { fault, flow: key, kind, late } => {
            let fault = fault.map_or("lost power".to_owned(), |fault| format!("fault {}", fault + 1));
            let late = late.map_or("kept back".to_owned(), |late| format!("late by {}", duration_text(late)));
            format!("bitten {kind:?} {}: {late} ({fault})", flow(key, true))
        }
        Event::Mark(mark) => format!("{mark:?}"),
        other => format!("{other:?}"),
    };
    let text = record.text.as_deref().map(|text| format!(" | {}", text.replace('\n', "\\n"))).unwrap_or_default();
    format!("{:>12.6}s {host} {event}{text}", record.at.as_secs_f64())
}

/// An operation in one line.
pub(super) fn operation_line(hosts: &[String], operation: &Operation) -> String {
    let Operation { host, client, name: operation_name, input, invoked_at, completed } = operation;
    let end = match completed {
        None => "never completed".to_owned(),
        Some((at, completion)) => {
            let (word, text) = match completion {
                Completion::Ok(text) => ("ok", text),
                Completion::Fail(text) => ("fail", text),
                Completion::Unknown(text) => ("unknown", text),
            };
            format!("{word} at {}: {text}", duration_text(*at))
        }
    };
    let host = name(hosts, *host);
    format!("{:>12.6}s {host} client {client} {operation_name}({input}) {end}", invoked_at.as_secs_f64())
}
