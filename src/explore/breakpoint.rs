//! Stops a run in a debugger at an event. The search for the event allocates memory within the run, so code that hashes
//! addresses may behave differently from a replay.

use std::cell::RefCell;
use std::rc::Rc;

use super::divergence::record_line;
use crate::run::{self, Detail};
use crate::sandbox;
use crate::scenario::{Case, Scenario};
use crate::trace::{self, Event, Mark, Record};

/// Makes a run that stops at the first event that matches the pattern, and returns one line that says where it stopped.
pub(super) fn run_until(scenario: &Scenario, case: &Case, pattern: &str) -> String {
    let report = Rc::new(RefCell::new(None));
    let (found, pattern) = (report.clone(), pattern.to_owned());
    trace::watch(Some(Box::new(move |hosts, record| {
        if found.borrow().is_some() || !matches(hosts, record, &pattern) {
            return;
        }
        // Set before the stop, so that events during the stop cannot stop the run again.
        found.replace(Some(String::new()));
        let is_debugged = sandbox::trap_if_debugged();
        let what =
            if is_debugged { "stopped for the debugger" } else { "no debugger is attached, so the run does not stop" };
        found.replace(Some(format!("{what} at {}", record_line(hosts, record).trim_start())));
    })));
    run::run_valid(scenario, case, Detail::Rich);
    trace::watch(None);
    report.take().unwrap_or_else(|| "no event matches".to_owned())
}

/// Whether the pattern is part of the event's line, or `host:name` of a mark.
fn matches(hosts: &[String], record: &Record, pattern: &str) -> bool {
    let host = record.host.and_then(|host| hosts.get(host.index())).map_or("-", String::as_str);
    let is_mark = |mark: &Mark| {
        let name = match mark {
            Mark::Note { name, .. } => name.clone(),
            other => format!("{other:?}").chars().take_while(|c| c.is_alphanumeric()).collect(),
        };
        pattern.split_once(':').is_some_and(|(on, named)| on == host && named == name)
    };
    matches!(&record.event, Event::Mark(mark) if is_mark(mark)) || record_line(hosts, record).contains(pattern)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::trace::HostId;

    #[test]
    fn events_are_found_by_their_line_or_by_host_and_mark() {
        let hosts = ["store".to_owned()];
        let event = |event, text: Option<&str>| Record {
            at: Duration::from_secs(1),
            host: Some(HostId(0)),
            event,
            text: text.map(str::to_owned),
        };
        let check = |record: &Record, pattern: &str, expected| {
            assert_eq!(matches(&hosts, record, pattern), expected, "{pattern}");
        };
        let killed = event(Event::Killed, None);
        check(&killed, "store Killed", true);
        check(&killed, "1.000000s", true);
        check(&killed, "store:Killed", false);
        let note = event(Event::Mark(Mark::Note { name: "audit done".to_owned(), detail: String::new() }), None);
        check(&note, "store:audit done", true);
        check(&note, "other:audit done", false);
        check(&event(Event::Mark(Mark::Ready(true)), None), "store:Ready", true);
        check(&event(Event::Log { callsite: 7 }, Some("INFO draining")), "draining", true);
    }
}
