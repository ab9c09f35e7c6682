//! The events of a run that are no segments, in words.

use super::spans::micros;
use crate::history::{Completion, Operation};
use crate::run::Recording;
use crate::trace::{AttemptOutcome, Event, HostId, Mark, Record};

/// The most characters of a text: longer ones end with an ellipsis.
const LONGEST: usize = 400;

/// A text that is not too long for a report.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// How an operation ended, in a word, and its answer or why it failed.
pub(super) fn outcome_of(operation: &Operation) -> (&'static str, &str) {
    match &operation.completed {
        None => ("open", ""),
        Some((_, Completion::Ok(answer))) => ("ok", answer.as_str()),
        Some((_, Completion::Fail(why))) => ("fail", why.as_str()),
        Some((_, Completion::Unknown(why))) => ("unknown", why.as_str()),
    }
}

/// `host, at, kind, text, fault` of an event that is neither a segment nor one that other rows show.
pub(super) fn event(recording: &Recording, record: &Record) -> Option<(i64, u64, &'static str, String, i64)> {
    let text = record.text.as_deref().unwrap_or_default();
    let name = |host: HostId| recording.hosts.get(host.index()).map_or("?", String::as_str);
    let with = |what: &str| if text.is_empty() { what.to_owned() } else { format!("{what}: {text}") };
    let mut by = -1;
    let (kind, words) = match &record.event {
        Event::Sent { .. } | Event::Arrived { .. } | Event::SegmentAffected { .. } | Event::SegmentCorrupted { .. } => {
            return None;
        }
        Event::Started => ("life", "starts".to_owned()),
        Event::Returned => ("life", "its program returns".to_owned()),
        Event::Failed => ("life", with("its program fails")),
        Event::Killed => ("life", "is killed".to_owned()),
        Event::PoweredOff => ("life", "loses power".to_owned()),
        Event::Stopping => ("life", "is asked to stop".to_owned()),
        Event::OutputStalled => ("life", "its output stalls".to_owned()),
        Event::OutputResumed => ("life", "its output flows again".to_owned()),
        Event::Paused => ("life", "is paused".to_owned()),
        Event::Resumed => ("life", "goes on".to_owned()),
        Event::FaultBegan { fault } => {
            by = i64::from(*fault);
            let text = recording.case.plan.faults.get(*fault as usize).map(ToString::to_string).unwrap_or_default();
            ("fault", format!("f{} begins: {text}", fault + 1))
        }
        Event::FaultEnded { fault } => {
            by = i64::from(*fault);
            ("fault", format!("f{} ends", fault + 1))
        }
        Event::FaultsOver => ("fault", "the faults are over".to_owned()),
        Event::HostAffected { fault } => {
            by = i64::from(*fault);
            ("fault", format!("f{}: {text}", fault + 1))
        }
        Event::DescriptorsHeld { open, most, ended } => {
            ("mark", format!("holds {open} descriptors ({most} at most), {} of ended connections", ended.len()))
        }
        Event::Mark(mark) => ("mark", mark_text(mark, name)),
        Event::Log { .. } => ("log", text.to_owned()),
    };
    let host = record.host.map_or(-1, |host| i64::from(host.0));
    Some((host, micros(record.at), kind, short(&words), by))
}

fn mark_text<'a>(mark: &Mark, name: impl Fn(HostId) -> &'a str) -> String {
    match mark {
        Mark::CallStarted { call, deadline } => format!("call {call} begins, due in {deadline:?}"),
        Mark::AttemptStarted { call, attempt, timeout, safety } => {
            format!("attempt {attempt} of call {call} begins, for {timeout:?} ({safety:?})")
        }
        Mark::AttemptEnded { call, attempt, outcome } => {
            let how = match outcome {
                AttemptOutcome::Status(status) => format!("is answered with {status}"),
                AttemptOutcome::TimedOut => "times out".to_owned(),
                AttemptOutcome::Refused => "is refused".to_owned(),
                AttemptOutcome::Failed => "fails".to_owned(),
            };
            format!("attempt {attempt} of call {call} {how}")
        }
        Mark::CallEnded { call, ok } => format!("call {call} {}", if *ok { "is answered" } else { "fails" }),
        Mark::Dispatched { to } => format!("dispatches to {}", name(*to)),
        Mark::Probed { to, ok } => format!("finds {} {}", name(*to), if *ok { "healthy" } else { "unhealthy" }),
        Mark::HealthChanged { to, healthy } => {
            format!("believes {} {}", name(*to), if *healthy { "healthy" } else { "dead" })
        }
        Mark::Applied { key, id } => format!("applies effect {id} ({key})"),
        Mark::BreakerChanged { open } => format!("{} its breaker", if *open { "opens" } else { "closes" }),
        Mark::Ready(true) => "is ready".to_owned(),
        Mark::Ready(false) => "is no longer ready".to_owned(),
        Mark::Note { name, detail } => format!("{name} {detail}"),
        Mark::Ejected { to, lasting } => format!("ejects {} for {lasting:?}", name(*to)),
    }
}
