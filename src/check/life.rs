//! What several checks ask of a trace: who lived when, and how an operation reads.

use std::time::Duration;

use crate::fault::duration_text as text;
use crate::history::{Completion, Operation};
use crate::trace::{Event, HostId, Trace};

/// Whether the program of `host` ended its life within the span.
pub(crate) fn died_between(trace: &Trace, host: HostId, from: Duration, to: Duration) -> bool {
    trace
        .records
        .iter()
        .any(|record| record.host == Some(host) && (from..=to).contains(&record.at) && is_death(&record.event))
}

/// Whether the event ends a program's life.
pub(crate) fn is_death(event: &Event) -> bool {
    matches!(event, Event::Killed | Event::PoweredOff | Event::Returned | Event::Failed)
}

/// An operation in words: who, what, when, with what result.
pub(crate) fn describe(operation: &Operation) -> String {
    let end = match &operation.completed {
        None => "never completed".to_owned(),
        Some((at, Completion::Ok(answer))) => format!("answered at {} with {}", text(*at), shortened(answer)),
        Some((at, Completion::Fail(why))) => format!("failed at {}: {}", text(*at), shortened(why)),
        Some((at, Completion::Unknown(why))) => format!("ended unknown at {}: {}", text(*at), shortened(why)),
    };
    let (name, input) = (&operation.name, shortened(&operation.input));
    format!("{name} {input} of client {} ({}, {end})", operation.client, text(operation.invoked_at))
}

fn shortened(words: &str) -> String {
    if words.chars().count() <= 120 {
        return words.to_owned();
    }
    words.chars().take(119).chain(['…']).collect()
}
