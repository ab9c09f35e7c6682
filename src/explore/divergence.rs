//! Finds where two recorded runs of the same case diverge, and writes records and operations as lines.

use std::fmt;
use std::time::Duration;

use crate::fault::duration_text;
use crate::history::{Completion, Operation};
use crate::run::Recording;
use crate::trace::{Event, FlowKey, HostId, Record};

/// The number of records that are shown before the first that differs.
const BEFORE: usize = 10;
/// The width of a line, in columns.
const COLUMNS: usize = 100;

/// The first difference between two runs of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The index of the first record that differs, from 0.
    pub index: usize,
    /// The host of that record; "-" if it has none.
    pub host: String,
    /// The virtual time of that record; the earlier one if both runs have one.
    pub at: Duration,
    /// The records before it, which both runs have.
    pub common: Vec<String>,
    /// The record of the first run; `None` if that run has ended.
    pub left: Option<String>,
    /// The record of the second run; `None` if that run has ended.
    pub right: Option<String>,
}

impl Divergence {
    /// The first difference; `None` if the recordings are equal.
    pub fn between(left: &Recording, right: &Recording) -> Option<Divergence> {
        let hosts = &left.hosts;
        let of_record = |record: &Record| DiffLine {
            at: record.at,
            host: record.host.map_or("-", |host| name(hosts, host)).to_owned(),
            line: record_line(hosts, record),
        };
        let of_operation = |operation: &Operation| DiffLine {
            at: operation.completed.as_ref().map_or(operation.invoked_at, |(at, _)| *at),
            host: name(hosts, operation.host).to_owned(),
            line: operation_line(hosts, operation),
        };
        Divergence::of_lists(&left.records, &right.records, of_record)
            // The history is part of the fingerprint, so the only difference may be there.
            .or_else(|| Divergence::of_lists(&left.history.operations, &right.history.operations, of_operation))
            // Operations are counted after the records.
            .map(|found| match left.records == right.records {
                true => Divergence { index: found.index + left.records.len(), ..found },
                false => found,
            })
    }

    fn of_lists<T: PartialEq>(left: &[T], right: &[T], entry: impl Fn(&T) -> DiffLine) -> Option<Divergence> {
        let longest = left.len().max(right.len());
        let index = (0..longest).find(|index| left.get(*index) != right.get(*index))?;
        let common = left[index.saturating_sub(BEFORE)..index].iter().map(|item| entry(item).line).collect();
        let (left, right) = (left.get(index).map(&entry), right.get(index).map(&entry));
        let (at, host) = [&left, &right].into_iter().flatten().map(|entry| (entry.at, &entry.host)).min()?;
        let (at, host) = (at, host.clone());
        let line = |entry: Option<DiffLine>| entry.map(|entry| entry.line);
        Some(Divergence { index, host, at, common, left: line(left), right: line(right) })
    }
}

/// A record or an operation as it is shown.
struct DiffLine {
    at: Duration,
    host: String,
    line: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the runs diverge at event {} ({}, {}):", self.index + 1, self.host, duration_text(self.at))?;
        for line in &self.common {
            writeln!(f, "    both    {}", clipped(line, 0))?;
        }
        let ended = "(the run has ended)";
        let (left, right) = (self.left.as_deref().unwrap_or(ended), self.right.as_deref().unwrap_or(ended));
        let differs_at = left.chars().zip(right.chars()).take_while(|(a, b)| a == b).count();
        writeln!(f, "    first   {}", clipped(left, differs_at))?;
        write!(f, "    second  {}", clipped(right, differs_at))
    }
}

/// As much of a line as fits after its label: its beginning and, if the character at `decisive` is farther back, the
/// part around that character.
fn clipped(line: &str, decisive: usize) -> String {
    const ROOM: usize = COLUMNS - "    second  ".len();
    const BEGINNING: usize = 40;
    const BEFORE_IT: usize = 12;
    let length = line.chars().count();
    if length <= ROOM {
        return line.to_owned();
    }
    let part = |from: usize, count: usize| line.chars().skip(from).take(count).collect::<String>();
    if decisive + BEFORE_IT < ROOM {
        return format!("{}…", part(0, ROOM - 1));
    }
    let from = (decisive - BEFORE_IT).min(length - (ROOM - BEGINNING - 1));
    let rest = part(from, ROOM - BEGINNING - 2);
    let end = if from + ROOM - BEGINNING - 2 < length { "…" } else { "" };
    format!("{}…{rest}{end}", part(0, BEGINNING))
}

fn name(hosts: &[String], host: HostId) -> &str {
    hosts.get(host.index()).map_or("?", String::as_str)
}

/// A record in one line, with everything that it holds.
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
        Event::SegmentAffected { fault, flow: key, forward, segment, kind, lost, extra, late } => {
            let fault = fault.map_or("lost power".to_owned(), |fault| format!("fault {}", fault + 1));
            let kept = if *lost == 0 { "held back" } else { "lost" };
            let late = late.map_or(kept.to_owned(), |late| format!("late by {}", duration_text(late)));
            let extra = if extra.is_zero() { String::new() } else { format!(", {} of it", duration_text(*extra)) };
            let lost = match lost.count_ones() {
                0 => String::new(),
                1 => format!(", transmission {}", lost.trailing_zeros()),
                times => format!(", lost {times} times"),
            };
            format!("affected {kind:?} {} segment {segment}: {late} ({fault}{lost}{extra})", flow(key, *forward))
        }
        Event::SegmentCorrupted { fault, flow: key, forward, segment, bit } => {
            let (byte, bit, fault) = (bit / 8, bit % 8, fault + 1);
            format!("corrupted {} segment {segment}: bit {bit} of byte {byte} (fault {fault})", flow(key, *forward))
        }
        Event::Mark(mark) => format!("{mark:?}"),
        other => format!("{other:?}"),
    };
    let text = record.text.as_deref().map(|text| format!(" | {}", one_line(text))).unwrap_or_default();
    format!("{:>12.6}s {host} {event}{text}", record.at.as_secs_f64())
}

/// Text with its line breaks escaped, to be part of a line.
pub(super) fn one_line(text: &str) -> String {
    text.replace('\n', "\\n").replace('\r', "\\r")
}

/// An operation in one line.
pub(super) fn operation_line(hosts: &[String], operation: &Operation) -> String {
    let Operation { host, client, life: _, name: operation_name, input, invoked_at, completed } = operation;
    let end = match completed {
        None => "never completed".to_owned(),
        Some((at, completion)) => {
            let (word, text) = match completion {
                Completion::Ok(text) => ("ok", text),
                Completion::Fail(text) => ("fail", text),
                Completion::Unknown(text) => ("unknown", text),
            };
            format!("{word} at {}: {}", duration_text(*at), one_line(text))
        }
    };
    let host = name(hosts, *host);
    format!("{:>12.6}s {host} client {client} {operation_name}({input}) {end}", invoked_at.as_secs_f64())
}
