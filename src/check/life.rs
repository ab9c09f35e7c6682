//! Helpers that several checks share: when a process ended or was paused, and how an operation reads in a message.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::duration_text as text;
use crate::history::{Completion, Operation};
use crate::trace::{Event, HostId, Record, Trace};

/// Whether a process of `host` ended within the span, both ends included, or earlier in the step in which it begins: hosts take
/// their turns in a step, so that what a process did before a fault found it may have a later time than its death.
pub(crate) fn died_between(trace: &Trace, host: HostId, from: Duration, to: Duration) -> bool {
    let into_the_step = from.as_nanos() % trace.step.as_nanos().max(1);
    let from = from.saturating_sub(Duration::from_nanos(into_the_step as u64));
    let is_between = |record: &Record| record.host == Some(host) && (from..=to).contains(&record.at);
    // Deaths are rare.
    trace.records.iter().any(|record| is_death(&record.event) && is_between(record))
}

/// Whether the event ends a process.
pub(crate) fn is_death(event: &Event) -> bool {
    matches!(event, Event::Killed | Event::PoweredOff | Event::Returned | Event::Failed)
}

/// Describes an operation: its name, input and client, when it was invoked, and how it ended.
pub(crate) fn describe(operation: &Operation) -> String {
    let end = match &operation.completed {
        None => "never completed".to_owned(),
        Some((at, Completion::Ok(answer))) => format!("answered at {} with {}", text(*at), shortened(answer)),
        Some((at, Completion::Fail(why))) => format!("failed at {}: {}", text(*at), shortened(why)),
        Some((at, Completion::Unknown(why))) => format!("outcome unknown at {}: {}", text(*at), shortened(why)),
    };
    let (name, input) = (&operation.name, shortened(&operation.input));
    format!("{name} {input} of client {} ({}, {end})", operation.client, text(operation.invoked_at))
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 120 {
        return text.to_owned();
    }
    text.chars().take(119).chain(['…']).collect()
}

/// When processes were paused.
pub(crate) struct Pauses(BTreeMap<HostId, Vec<(Duration, Duration)>>);

impl Pauses {
    pub(crate) fn of(trace: &Trace) -> Pauses {
        let mut pauses: BTreeMap<HostId, Vec<(Duration, Duration)>> = BTreeMap::new();
        for record in &trace.records {
            let Some(host) = record.host else { continue };
            match record.event {
                Event::Paused => pauses.entry(host).or_default().push((record.at, Duration::MAX)),
                Event::Resumed | Event::Started => {
                    if let Some((_, end)) = pauses.get_mut(&host).and_then(|pauses| pauses.last_mut()) {
                        *end = (*end).min(record.at);
                    }
                }
                _ => {}
            }
        }
        Pauses(pauses)
    }

    /// Whether the process of a host was paused within this span of time.
    pub(crate) fn overlap(&self, host: HostId, from: Duration, to: Duration) -> bool {
        self.0.get(&host).is_some_and(|pauses| pauses.iter().any(|(begin, end)| *begin <= to && from <= *end))
    }
}
