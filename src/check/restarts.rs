//! Checks of restarts: clients do not notice them.

use std::collections::BTreeMap;

use super::{Check, Verdict, life};
use crate::history::{Completion, Operation};
use crate::trace::Event;

/// S1: no operation fails or has an unknown outcome while servers are restarted one after the other.
///
/// This check is for scenarios whose faults a system must hide completely. An operation that is still open when the run
/// ends is not judged.
pub fn no_operation_fails() -> Check {
    Check::new("S1 no operation fails", |_, history| {
        let failed = history
            .operations
            .iter()
            .find(|operation| matches!(operation.completed, Some((_, Completion::Fail(_) | Completion::Unknown(_)))));
        match failed {
            Some(operation) => Verdict::Fail(format!("S1: {}", life::describe(operation))),
            None => Verdict::Pass,
        }
    })
}

/// Control: in a run without faults, every operation is acknowledged. A run with faults passes.
pub fn without_faults_no_operation_fails() -> Check {
    Check::new("control: without faults no operation fails", |trace, history| {
        if trace.records.iter().any(|record| matches!(record.event, Event::FaultBegan { .. })) {
            return Verdict::Pass;
        }
        match history.operations.iter().find(|operation| !operation.is_ok()) {
            Some(operation) => {
                Verdict::Fail(format!("not acknowledged, although there was no fault: {}", life::describe(operation)))
            }
            None => Verdict::Pass,
        }
    })
}

/// S3: clients cannot tell which server answered: an immutable fact has the same value in every answer, and no server
/// refuses what another one granted.
///
/// `fact` returns the name and the value of the fact that an operation read, or an error that says what a server
/// refused although another one had granted it. It returns `None` for any other operation.
pub fn servers_are_interchangeable(
    fact: impl Fn(&Operation) -> Option<Result<(String, String), String>> + Send + Sync + 'static,
) -> Check {
    Check::new("S3 servers are interchangeable", move |_, history| {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for operation in &history.operations {
            match fact(operation) {
                None => {}
                Some(Err(refused)) => {
                    return Verdict::Fail(format!("S3: {refused}: {}", life::describe(operation)));
                }
                Some(Ok((what, value))) => {
                    let before = known.entry(what.clone()).or_insert_with(|| value.clone());
                    if *before != value {
                        let operation = life::describe(operation);
                        return Verdict::Fail(format!(
                            "S3: {what} was {before} before and is {value} now: {operation}"
                        ));
                    }
                }
            }
        }
        Verdict::Pass
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::History;
    use crate::trace::{HostId, Trace};

    fn history(completions: &[Completion]) -> History {
        let operation = |completion: &Completion| Operation {
            host: HostId(0),
            client: 0,
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
    fn failed_and_unknown_operations_are_caught() {
        for check in [no_operation_fails(), without_faults_no_operation_fails()] {
            assert_eq!(word(&check, &[Completion::Ok("1".into())]), "pass");
            assert_eq!(word(&check, &[Completion::Fail("no".into())]), "fail");
            assert_eq!(word(&check, &[Completion::Unknown("?".into())]), "fail");
        }
    }

    #[test]
    fn differing_answers_are_caught() {
        let check = servers_are_interchangeable(|operation| match operation.completed.as_ref()?.1.clone() {
            Completion::Ok(answer) => Some(Ok((operation.input.clone(), answer))),
            Completion::Fail(why) => Some(Err(why)),
            Completion::Unknown(_) => None,
        });
        let ok = |answer: &str| Completion::Ok(answer.into());
        assert_eq!(word(&check, &[ok("a"), ok("a"), Completion::Unknown("?".into())]), "pass");
        assert_eq!(word(&check, &[ok("a"), ok("b")]), "fail");
        assert_eq!(word(&check, &[ok("a"), Completion::Fail("401".into())]), "fail");
    }
}
