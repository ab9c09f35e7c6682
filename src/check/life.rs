//! Helpers that several checks share: when a process ended, and how an operation reads in a message.

use std::time::Duration;

use crate::fault::duration_text as text;
use crate::history::{Completion, Operation};
use crate::trace::{Event, HostId, Trace};

/// Whether a process of `host` ended within the span, both ends included.
pub(crate) fn died_between(trace: &Trace, host: HostId, from: Duration, to: Duration) -> bool {
    trace
        .records
        .iter()
        .any(|record| record.host == Some(host) && (from..=to).contains(&record.at) && is_death(&record.event))
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
