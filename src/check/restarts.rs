//! Checks of restarts: clients do not notice them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::decoded::{Decoded, decode};
use super::{Check, CountedVerdict, life};
use crate::history::Operation;
use crate::trace::{Event, Record, Trace};

const NO_OPERATION: &str = "no operation completed: record operations with `Recorder::invoke`, and complete them";

/// S1: no operation fails or has an unknown outcome while servers are restarted one after the other.
///
/// This check is for scenarios whose faults a system must hide completely. An operation that is still open when the run
/// ends fails if another host was started again while it was open and its client lived on; otherwise it is not judged.
pub fn no_operation_fails() -> Check {
    Check::new("S1 no operation fails", |trace, history| {
        let mut judged = 0;
        for operation in &history.operations {
            let restarted_at = restart_during(trace, operation);
            if operation.completed.is_none() && restarted_at.is_none() {
                continue;
            }
            judged += 1;
            if !operation.is_ok() {
                let verdict = CountedVerdict::broken(judged, format!("S1: {}", life::describe(operation)));
                let verdict = verdict.of(operation);
                return match restarted_at.filter(|_| operation.completed.is_none()) {
                    Some(restarted_at) => verdict.at(restarted_at),
                    None => verdict,
                };
            }
        }
        CountedVerdict::kept(judged, NO_OPERATION)
    })
}

fn restart_during(trace: &Trace, operation: &Operation) -> Option<Duration> {
    let is_restart = |record: &Record| {
        matches!(record.event, Event::Started)
            && record.host != Some(operation.host)
            && record.at > operation.invoked_at
    };
    let restart = trace.records.iter().find(|record| is_restart(record))?;
    let has_died = life::died_between(trace, operation.host, operation.invoked_at, trace.ended_at);
    (!has_died).then_some(restart.at)
}

/// Control: in a run without faults, every operation is acknowledged. A run with faults passes, and nothing is judged in
/// it. An operation that is still open when the run ends fails if it has been open for longer than any of its name took.
pub fn without_faults_no_operation_fails() -> Check {
    Check::new("control: without faults no operation fails", |trace, history| {
        if trace.records.iter().any(|record| matches!(record.event, Event::FaultBegan { .. })) {
            return CountedVerdict::not_applicable();
        }
        let longest = longest_by_name(&history.operations);
        let mut judged = 0;
        for operation in &history.operations {
            let open_for = trace.ended_at.saturating_sub(operation.invoked_at);
            let may_still_end = || longest.get(operation.name.as_str()).is_some_and(|longest| open_for <= *longest);
            if operation.completed.is_none() && may_still_end() {
                continue;
            }
            judged += 1;
            if !operation.is_ok() {
                let why = format!("not acknowledged, although there was no fault: {}", life::describe(operation));
                return CountedVerdict::broken(judged, why).of(operation);
            }
        }
        CountedVerdict::kept(judged, NO_OPERATION)
    })
}

/// How long the operations of each name took at most.
fn longest_by_name(operations: &[Operation]) -> BTreeMap<&str, Duration> {
    let mut longest: BTreeMap<&str, Duration> = BTreeMap::new();
    for operation in operations {
        if let Some((ended_at, _)) = operation.completed {
            let longest = longest.entry(&operation.name).or_default();
            *longest = (*longest).max(ended_at - operation.invoked_at);
        }
    }
    longest
}

/// S3: clients cannot tell which server answered: an immutable fact has the same value in every answer, and no server
/// refuses what another one granted.
///
/// `fact` returns the name and the value of the fact that an operation read, or an error that says what a server
/// refused although another one had granted it. It returns `None` for any other operation.
pub fn servers_are_interchangeable(
    fact: impl Fn(&Operation) -> Decoded<Result<(String, String), String>> + Send + Sync + 'static,
) -> Check {
    Check::new("S3 servers are interchangeable", move |_, history| {
        let mut judged = 0;
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for operation in &history.operations {
            let read = match decode(operation, &fact) {
                Ok(read) => read,
                Err(unreadable) => return unreadable.into(),
            };
            judged += u64::from(read.is_some());
            match read {
                None => {}
                Some(Err(refused)) => {
                    let why = format!("S3: {refused}: {}", life::describe(operation));
                    return CountedVerdict::broken(judged, why).of(operation);
                }
                Some(Ok((what, value))) => {
                    let before = known.entry(what.clone()).or_insert_with(|| value.clone());
                    if *before != value {
                        let who = life::describe(operation);
                        let why = format!("S3: {what} was {before} before and is {value} now: {who}");
                        return CountedVerdict::broken(judged, why).of(operation);
                    }
                }
            }
        }
        CountedVerdict::kept(judged, "no operation read a fact: let the clients read facts that servers share")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::Completion;
    use crate::history::History;
    use crate::trace::{HostId, Trace};

    fn history(completions: &[Completion]) -> History {
        let operation = |completion: &Completion| Operation {
            host: HostId(0),
            client: 0,
            life: 0,
            name: "read".into(),
            input: "1".into(),
            invoked_at: millis(1),
            completed: Some((millis(2), completion.clone())),
        };
        History { operations: completions.iter().map(operation).collect() }
    }

    fn word(check: &Check, completions: &[Completion]) -> &'static str {
        let trace = Trace::new(vec!["client".into()], millis(10), secs(60), false);
        check.judge(&trace, &history(completions)).word()
    }

    #[test]
    fn an_operation_open_at_the_end_fails_the_control_only_if_it_took_longer_than_others() {
        let mut trace = Trace::new(vec!["client".into()], millis(10), secs(60), false);
        trace.ended_at = secs(30);
        let mut history = history(&[Completion::Ok("1".into()), Completion::Ok("1".into())]);
        history.operations[0].completed = Some((millis(1_001), Completion::Ok("1".into())));
        history.operations[1].completed = None;
        for (open_for, expected) in [(secs(1), "pass"), (millis(1_001), "fail")] {
            history.operations[1].invoked_at = secs(30) - open_for;
            let verdict = without_faults_no_operation_fails().judge(&trace, &history);
            assert_eq!(verdict.word(), expected, "open for {open_for:?}");
        }
    }

    #[test]
    fn failed_and_unknown_operations_are_caught() {
        for check in [no_operation_fails(), without_faults_no_operation_fails()] {
            assert_eq!(word(&check, &[Completion::Ok("1".into())]), "pass");
            assert_eq!(word(&check, &[Completion::Fail("no".into())]), "fail");
            assert_eq!(word(&check, &[Completion::Unknown("?".into())]), "fail");
        }
    }

    /// A call that hung while its server was started again once was not judged.
    #[test]
    fn a_call_that_hangs_over_a_restart_is_caught() {
        let word = |events: &[(u64, u16, Event)]| {
            let mut trace = Trace::new(vec!["client".into(), "server".into()], millis(10), secs(60), false);
            trace.ended_at = secs(60);
            for (at, host, event) in events {
                trace.push(secs(*at), Some(HostId(*host)), event.clone());
            }
            let mut history = history(&[Completion::Ok("1".into()), Completion::Ok("1".into())]);
            history.operations[1].completed = None;
            let verdict = no_operation_fails().judge_counting(&trace, &history);
            (verdict.verdict().word(), verdict.judged())
        };
        assert_eq!(word(&[(5, 1, Event::Killed), (6, 1, Event::Started)]), ("fail", 2));
        assert_eq!(word(&[(5, 1, Event::Killed)]), ("pass", 1), "the server was not started again");
        let client_died = (7, 0, Event::Killed);
        assert_eq!(word(&[(5, 1, Event::Killed), (6, 1, Event::Started), client_died]), ("pass", 1));
        assert_eq!(word(&[]), ("pass", 1));
    }

    #[test]
    fn differing_answers_are_caught() {
        let check = servers_are_interchangeable(|operation| {
            let (_, completion) = operation.completed.clone().expect("completed");
            Ok(match completion {
                Completion::Ok(answer) => Some(Ok((operation.input.clone(), answer))),
                Completion::Fail(why) => Some(Err(why)),
                Completion::Unknown(_) => None,
            })
        });
        let ok = |answer: &str| Completion::Ok(answer.into());
        assert_eq!(word(&check, &[ok("a"), ok("a"), Completion::Unknown("?".into())]), "pass");
        assert_eq!(word(&check, &[ok("a"), ok("b")]), "fail");
        assert_eq!(word(&check, &[ok("a"), Completion::Fail("401".into())]), "fail");
    }

    #[test]
    fn a_fact_that_cannot_be_read_fails() {
        let check =
            servers_are_interchangeable(|operation| Ok(Some(Ok((operation.answer()?.unwrap(), String::new())))));
        let trace = Trace::new(vec!["client".into()], millis(10), secs(60), false);
        let verdict = check.judge(&trace, &history(&[Completion::Ok("7".into())])).to_string();
        assert!(verdict.starts_with("fail: the decoder of this check cannot read read 1 of client 0"), "{verdict}");
    }
}
