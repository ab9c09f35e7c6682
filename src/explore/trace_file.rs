//! Saves the trace of a failing run beside its case, and finds where a later run of the case diverges from it. The
//! trace never changes how a case runs.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use super::divergence::{one_line, operation_line, record_line};
use crate::case_file::{CaseFile, CaseFileError};
use crate::run::Recording;
use crate::trace::{Event, Fingerprint};

/// The number of events that are shown before the first that differs.
const BEFORE: usize = 5;
/// The largest number of events that are shown of the stretch in which the runs diverge.
const WITHIN: usize = 20;

/// Every record of a run and then every operation of its clients, in one line each.
pub fn event_lines(recording: &Recording) -> Vec<String> {
    let records = recording.records.iter().map(|record| match &record.event {
        // The call site of a log line is a digest of its file and line, which changes with every line added above it.
        Event::Log { .. } => {
            let host = record.host.and_then(|host| recording.hosts.get(host.index())).map_or("-", String::as_str);
            let text = one_line(record.text.as_deref().unwrap_or_default());
            format!("{:>12.6}s {host} logs | {text}", record.at.as_secs_f64())
        }
        _ => record_line(&recording.hosts, record),
    });
    let operations = recording.history.operations.iter();
    records.chain(operations.map(|operation| operation_line(&recording.hosts, operation))).collect()
}

/// The file of the trace that belongs to a case file: beside it.
pub fn trace_path(case_file: &Path) -> PathBuf {
    case_file.with_extension("trace")
}

/// Saves a case and, if its run has any events, the trace beside it.
pub(crate) fn save(file: &CaseFile, events: &[String], path: &Path) -> Result<(), CaseFileError> {
    file.save(path)?;
    if events.is_empty() {
        return Ok(());
    }
    let mut text = header(file.fingerprint);
    for event in events {
        let _ = write!(text, "\n{event}");
    }
    text.push('\n');
    let path = trace_path(path);
    fs::write(&path, text).map_err(|error| CaseFileError::Io { path, error })
}

/// The first line of a trace, which names its run: an edited case has no trace until it is recorded again.
fn header(fingerprint: Fingerprint) -> String {
    format!("squall trace of the run with fingerprint {fingerprint}")
}

/// The events beside a case file; `None` if there is no trace or it belongs to another run.
pub fn recorded_lines(case_file: &Path, fingerprint: Fingerprint) -> Option<Vec<String>> {
    let text = fs::read_to_string(trace_path(case_file)).ok()?;
    let events = text.strip_prefix(&header(fingerprint))?;
    Some(events.lines().skip(1).map(str::to_owned).collect())
}

/// Where a run diverges from the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceDivergence {
    /// At this event.
    At {
        /// The number of the event, counted from 1.
        event: usize,
        /// Some of the events before it, which both runs have.
        common: Vec<String>,
        /// The event of the recorded run; `None` if that run had ended.
        recorded: Option<String>,
        /// The event of this run; `None` if this run has ended.
        now: Option<String>,
    },
    /// Between two events: there is no trace, only the checkpoints in the case file.
    Within {
        /// The number and the line of the last event that is known to be the same; `None` if no event is.
        same: Option<(usize, String)>,
        /// The number of an event by which the runs have diverged.
        differs_by: usize,
        /// The events of this run in between, or some of them; the first of them may still be the same.
        now: Vec<String>,
    },
    /// No recorded event differs. Code that logs may have moved, which changes the fingerprint but not the events.
    Nowhere,
    /// The recorded run left nothing to compare with.
    Unknown,
}

impl TraceDivergence {
    /// Compares a run with the one that is recorded in a case file and in the trace beside it.
    pub fn of(file: &CaseFile, path: &Path, now: &Recording) -> TraceDivergence {
        let now = event_lines(now);
        match recorded_lines(path, file.fingerprint) {
            Some(recorded) => TraceDivergence::between(&recorded, &now),
            None if file.events == 0 => TraceDivergence::Unknown,
            None => match file.checkpoints.divergence(file.events, &now) {
                None => TraceDivergence::Nowhere,
                Some(range) => TraceDivergence::Within {
                    same: range.start.checked_sub(1).and_then(|last| Some((range.start, now.get(last)?.clone()))),
                    differs_by: range.end,
                    now: now.iter().take(range.end).skip(range.start).take(WITHIN).cloned().collect(),
                },
            },
        }
    }

    fn between(recorded: &[String], now: &[String]) -> TraceDivergence {
        let longest = recorded.len().max(now.len());
        match (0..longest).find(|index| recorded.get(*index) != now.get(*index)) {
            None => TraceDivergence::Nowhere,
            Some(index) => TraceDivergence::At {
                event: index + 1,
                common: now[index.saturating_sub(BEFORE)..index].to_vec(),
                recorded: recorded.get(index).cloned(),
                now: now.get(index).cloned(),
            },
        }
    }
}

impl fmt::Display for TraceDivergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceDivergence::At { event, common, recorded, now } => {
                let at = now.as_ref().or(recorded.as_ref()).map_or("", |line| time_of(line));
                writeln!(f, "the runs diverge at event {event}, at {at}:")?;
                for line in common {
                    writeln!(f, "    both      {line}")?;
                }
                writeln!(f, "    recorded  {}", recorded.as_deref().unwrap_or("(the run had ended)"))?;
                write!(f, "    now       {}", now.as_deref().unwrap_or("(the run has ended)"))
            }
            TraceDivergence::Within { same, differs_by, now } => {
                let from = match same {
                    Some((event, line)) => format!("event {event} at {}", time_of(line)),
                    None => "the start".to_owned(),
                };
                let until = now.last().map_or("the end", |line| time_of(line));
                write!(f, "the runs diverge between {from} and event {differs_by}, shown up to {until}:")?;
                if let Some((_, line)) = same {
                    write!(f, "\n    both      {line}")?;
                }
                now.iter().try_for_each(|line| write!(f, "\n    now       {line}"))
            }
            TraceDivergence::Nowhere => {
                write!(f, "no recorded event differs: code that logs may have moved")
            }
            TraceDivergence::Unknown => write!(f, "where they diverge is unknown: the recorded run left no events"),
        }
    }
}

/// The virtual time with which a line begins.
fn time_of(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<String> {
        (1..=count).map(|number| format!("{:>12.6}s a event {number}", number as f64)).collect()
    }

    #[test]
    fn the_first_event_that_differs_is_shown_with_those_before_it() {
        let (recorded, mut now) = (lines(9), lines(9));
        now[7] = "    8.500000s a something else".to_owned();
        let text = TraceDivergence::between(&recorded, &now).to_string();
        assert!(
            text.starts_with("the runs diverge at event 8, at 8.500000s:\n    both          3.000000s a"),
            "{text}"
        );
        assert!(text.contains("\n    recorded      8.000000s a event 8\n    now           8.500000s a some"), "{text}");
        assert!(TraceDivergence::between(&recorded, &lines(8)).to_string().ends_with("now       (the run has ended)"));
        assert!(TraceDivergence::between(&lines(8), &recorded).to_string().contains("recorded  (the run had ended)"));
        assert_eq!(TraceDivergence::between(&recorded, &recorded), TraceDivergence::Nowhere);
    }
}
