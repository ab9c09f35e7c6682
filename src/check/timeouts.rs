//! Checks of time limits: calls and their attempts end in time, and the system recovers in time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::life::Pauses;
use super::{Breach, Check, CountedVerdict, life};
use crate::fault::{duration_text as text, millis};
use crate::history::History;
use crate::trace::{Mark, Trace};

const NO_CALL_ENDED: &str =
    "no call ended or came to its deadline: emit `Mark::CallStarted` and `Mark::CallEnded` for each call";
const NO_LATE_OPERATION: &str =
    "no operation had the time to end so long after the end of the faults: let the clients run for longer";
const NO_ATTEMPT: &str =
    "no attempt of a known call was started: emit `Mark::CallStarted` and `Mark::AttemptStarted` for each attempt";

/// How late something may be before it counts as late: one step plus the granularity of tokio's timer.
pub(crate) fn tolerance(trace: &Trace) -> Duration {
    trace.step + millis(2)
}

/// T1: a call ends within its deadline, according to [`Mark::CallStarted`] and [`Mark::CallEnded`].
///
/// A call whose client died or was paused, or whose deadline lies beyond the end of the run, is not judged.
pub fn calls_end_within_their_deadline() -> Check {
    calls_end_within(Duration::MAX)
}

/// T1: the same for calls that end within `limit`, whatever deadline they state.
pub fn calls_end_within(limit: Duration) -> Check {
    Check::new("T1 calls end within their deadline", move |trace, _| {
        let mut judged = 0;
        let mut open = BTreeMap::new();
        let pauses = Pauses::of(trace);
        for (at, host, mark) in trace.marks() {
            match mark {
                Mark::CallStarted { call, deadline } => {
                    open.insert((host, *call), (at, limit.min(*deadline)));
                }
                Mark::CallEnded { call, .. } => {
                    let Some((started, deadline)) = open.remove(&(host, *call)) else { continue };
                    // A process that does nothing keeps no time.
                    if pauses.overlap(host, started, at) {
                        continue;
                    }
                    judged += 1;
                    if at - started > deadline + tolerance(trace) {
                        let (took, who) = (text(at - started), trace.name(host));
                        let due = started + deadline;
                        let (started, deadline) = (text(started), text(deadline));
                        let why = format!(
                            "T1: call {call} of {who}, started at {started} with a deadline of {deadline}, took {took}"
                        );
                        return CountedVerdict::broken(judged, why).at(due);
                    }
                }
                _ => {}
            }
        }
        for ((host, call), (started, deadline)) in open {
            let due = started.saturating_add(deadline) + tolerance(trace);
            let is_excused = || life::died_between(trace, host, started, due) || pauses.overlap(host, started, due);
            if due < trace.ended_at && !is_excused() {
                judged += 1;
                let (who, started) = (trace.name(host), text(started));
                let deadline = text(deadline);
                return CountedVerdict::broken(
                    judged,
                    format!(
                        "T1: call {call} of {who}, started at {started} with a deadline of {deadline}, never ended"
                    ),
                )
                .at(due);
            }
        }
        CountedVerdict::kept(judged, NO_CALL_ENDED)
    })
}

/// An attempt that is running.
struct OpenAttempt {
    number: u32,
    started: Duration,
    /// How long it may last.
    allowed: Duration,
}

impl OpenAttempt {
    /// What is wrong with an attempt that lasts until `at`, if anything.
    fn lateness(&self, at: Duration, tolerance: Duration, call: u64, who: &str) -> Option<Breach> {
        let took = at - self.started;
        (took > self.allowed + tolerance).then(|| {
            let (number, took, allowed) = (self.number, text(took), text(self.allowed));
            let why = format!("T2: attempt {number} of call {call} of {who} lasted {took}; the limit is {allowed}");
            Breach::from(why).at(self.started + self.allowed)
        })
    }
}

/// A call that has not ended.
struct OpenCall {
    started: Duration,
    ends_at: Duration,
    attempt: Option<OpenAttempt>,
}

/// T2: an attempt lasts at most `attempt_timeout`, or the time left until its call's deadline if that is less, and no
/// attempt starts after the deadline.
///
/// An attempt ends with [`Mark::AttemptEnded`], with the next attempt of its call, or with the call. One that never ends
/// lasts until its client dies or the run is over. What a client does late because it was paused is not judged.
pub fn attempts_end_within_their_timeout(attempt_timeout: Duration) -> Check {
    Check::new("T2 attempts end within their timeout", move |trace, _| {
        let mut judged = 0;
        let mut open: BTreeMap<_, OpenCall> = BTreeMap::new();
        let tolerance = tolerance(trace);
        let pauses = Pauses::of(trace);
        for (at, host, mark) in trace.marks() {
            let who = trace.name(host);
            if let Mark::AttemptStarted { call, .. } | Mark::AttemptEnded { call, .. } | Mark::CallEnded { call, .. } =
                mark
                && open.get(&(host, *call)).is_some_and(|state| pauses.overlap(host, state.started, at))
            {
                open.remove(&(host, *call));
            }
            let (call, ended) = match mark {
                Mark::CallStarted { call, deadline } => {
                    let ends_at = at.saturating_add(*deadline);
                    open.insert((host, *call), OpenCall { started: at, ends_at, attempt: None });
                    continue;
                }
                Mark::AttemptStarted { call, .. } => {
                    (call, open.get_mut(&(host, *call)).and_then(|state| state.attempt.take()))
                }
                Mark::AttemptEnded { call, attempt, .. } => {
                    let state = open.get_mut(&(host, *call));
                    let running = state.and_then(|state| state.attempt.take_if(|running| running.number == *attempt));
                    (call, running)
                }
                Mark::CallEnded { call, .. } => (call, open.remove(&(host, *call)).and_then(|state| state.attempt)),
                _ => continue,
            };
            if let Some(why) = ended.and_then(|attempt| attempt.lateness(at, tolerance, *call, who)) {
                return CountedVerdict::broken(judged, why);
            }
            let Mark::AttemptStarted { call, attempt, timeout, .. } = mark else { continue };
            let Some(state) = open.get_mut(&(host, *call)) else { continue };
            judged += 1;
            let allowed = attempt_timeout.min(state.ends_at.saturating_sub(at));
            if let Some(why) = wrong_start(state.ends_at, at, *timeout, allowed, tolerance) {
                let why = format!("T2: attempt {attempt} of call {call} of {who} {why}");
                return CountedVerdict::broken(judged, why).at(at);
            }
            state.attempt = Some(OpenAttempt { number: *attempt, started: at, allowed });
        }
        for ((host, call), state) in open {
            let Some(attempt) = state.attempt else { continue };
            let due = attempt.started.saturating_add(attempt.allowed) + tolerance;
            let is_excused =
                || life::died_between(trace, host, attempt.started, due) || pauses.overlap(host, state.started, due);
            if due < trace.ended_at && !is_excused() {
                let (who, number, started) = (trace.name(host), attempt.number, text(attempt.started));
                let allowed = text(attempt.allowed);
                let why = format!(
                    "T2: attempt {number} of call {call} of {who}, started at {started} with a limit of {allowed}, \
                     never ended"
                );
                return CountedVerdict::broken(judged, why).at(due);
            }
        }
        CountedVerdict::kept(judged, NO_ATTEMPT)
    })
}

/// What is wrong with an attempt that starts at `at`, if anything.
fn wrong_start(
    ends_at: Duration,
    at: Duration,
    timeout: Duration,
    allowed: Duration,
    tolerance: Duration,
) -> Option<String> {
    if at > ends_at + tolerance {
        return Some(format!("starts {} after the deadline", text(at - ends_at)));
    }
    (timeout > allowed + tolerance)
        .then(|| format!("has a timeout of {}; the limit is {}", text(timeout), text(allowed)))
}

/// Liveness: every operation invoked at least `within` after the end of the faults is acknowledged. An operation that is
/// still open when the run ends is judged if it had `within` to end. The verdict is unknown if there is nothing to judge.
pub fn recovers_within(within: Duration) -> Check {
    Check::new("recovers in time", move |trace: &Trace, history: &History| {
        let from = trace.run_for + within;
        let mut judged = 0;
        for operation in history.operations.iter().filter(|operation| operation.invoked_at >= from) {
            if operation.completed.is_none() && operation.invoked_at + within > trace.ended_at {
                continue;
            }
            judged += 1;
            if !operation.is_ok() {
                let late = text(operation.invoked_at - trace.run_for);
                return CountedVerdict::broken(
                    judged,
                    format!(
                        "{} was not acknowledged, although it was invoked {late} after the end of the faults",
                        life::describe(operation)
                    ),
                )
                .at(operation.completed.as_ref().map_or(operation.invoked_at + within, |(at, _)| *at))
                .of(operation);
            }
        }
        CountedVerdict::kept(judged, NO_LATE_OPERATION)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::secs;
    use crate::history::{Completion, Operation};
    use crate::trace::{AttemptOutcome, Event, HostId, RetrySafety};

    fn check(check: &Check, marks: &[(u64, Mark)]) -> &'static str {
        check_with(check, marks, &[])
    }

    fn check_with(check: &Check, marks: &[(u64, Mark)], others: &[(u64, Event)]) -> &'static str {
        let mut trace = Trace::new(vec!["client".into()], millis(10), secs(60), false);
        trace.ended_at = secs(60);
        for (at, event) in others {
            trace.push(millis(*at), Some(HostId(0)), event.clone());
        }
        for (at, mark) in marks {
            trace.push(millis(*at), Some(HostId(0)), Event::Mark(mark.clone()));
        }
        check.judge(&trace, &History::default()).word()
    }

    #[test]
    fn who_is_paused_or_dead_keeps_no_time() {
        let started = Mark::CallStarted { call: 1, deadline: secs(1) };
        let attempt =
            |attempt| Mark::AttemptStarted { call: 1, attempt, timeout: secs(1), safety: RetrySafety::Idempotent };
        let late = [(105, started.clone()), (106, attempt(1)), (3_000, Mark::CallEnded { call: 1, ok: false })];
        let checks = [calls_end_within_their_deadline(), attempts_end_within_their_timeout(secs(1))];
        for check in &checks {
            assert_eq!(check_with(check, &late, &[]), "fail");
            let paused = |from, to| [(from, Event::Paused), (to, Event::Resumed)];
            assert_ne!(check_with(check, &late, &paused(500, 2_900)), "fail");
            assert_eq!(check_with(check, &late, &paused(4_000, 5_000)), "fail");
            // What began in the step of a death may have a later time than the death.
            assert_ne!(check_with(check, &late[..2], &[(101, Event::Killed)]), "fail");
            assert_eq!(check_with(check, &late[..2], &[(99, Event::Killed)]), "fail");
        }
    }

    fn started() -> Mark {
        Mark::CallStarted { call: 7, deadline: secs(4) }
    }

    fn ended() -> Mark {
        Mark::CallEnded { call: 7, ok: true }
    }

    fn attempt(attempt: u32, timeout_ms: u64) -> Mark {
        Mark::AttemptStarted { call: 7, attempt, timeout: millis(timeout_ms), safety: RetrySafety::Keyed }
    }

    fn attempt_ended(attempt: u32) -> Mark {
        Mark::AttemptEnded { call: 7, attempt, outcome: AttemptOutcome::TimedOut }
    }

    #[test]
    fn t1_catches_calls_that_end_late_or_never() {
        let t1 = calls_end_within_their_deadline();
        assert_eq!(check(&t1, &[(100, started()), (4_100, ended())]), "pass");
        assert_eq!(check(&t1, &[(100, started()), (4_200, ended())]), "fail");
        assert_eq!(check(&t1, &[(100, started())]), "fail");
        assert_eq!(check(&t1, &[(59_000, started())]), "unknown", "nothing was due");
    }

    #[test]
    fn t2_catches_long_late_and_unclamped_attempts() {
        let t2 = attempts_end_within_their_timeout(secs(1));
        assert_eq!(check(&t2, &[(0, started()), (0, attempt(1, 1_000)), (1_000, attempt_ended(1))]), "pass");
        assert_eq!(check(&t2, &[(0, started()), (0, attempt(1, 1_000)), (1_100, attempt_ended(1))]), "fail");
        assert_eq!(check(&t2, &[(0, started()), (3_500, attempt(1, 500)), (4_000, attempt_ended(1))]), "pass");
        assert_eq!(check(&t2, &[(0, started()), (3_500, attempt(1, 1_000))]), "fail");
        assert_eq!(check(&t2, &[(0, started()), (4_100, attempt(1, 0))]), "fail");
    }

    #[test]
    fn recovery_judges_what_had_time_to_end() {
        let word = |invoked_at: u64, completed: Option<(u64, Completion)>| {
            let mut trace = Trace::new(vec!["client".into()], millis(10), secs(60), false);
            trace.ended_at = secs(90);
            let operation = Operation {
                host: HostId(0),
                client: 0,
                life: 0,
                name: "read".into(),
                input: "1".into(),
                invoked_at: secs(invoked_at),
                completed: completed.map(|(at, completion)| (secs(at), completion)),
            };
            recovers_within(secs(8)).judge(&trace, &History { operations: vec![operation] }).word()
        };
        assert_eq!(word(67, None), "unknown", "the system may still recover");
        assert_eq!(word(68, Some((69, Completion::Ok("1".into())))), "pass");
        assert_eq!(word(82, None), "fail");
        assert_eq!(word(83, None), "unknown", "it began too late to end");
        assert_eq!(word(83, Some((84, Completion::Fail("no".into())))), "fail");
    }

    #[test]
    fn t2_judges_attempts_whose_end_is_not_recorded() {
        let t2 = attempts_end_within_their_timeout(secs(1));
        let begun = [(0, started()), (0, attempt(1, 1_000))];
        let then = |at, mark| [begun.to_vec(), vec![(at, mark)]].concat();
        assert_eq!(check(&t2, &begun), "fail", "it never ends");
        assert_eq!(check(&t2, &then(900, attempt(2, 1_000))), "fail", "the second never ends");
        assert_eq!(check(&t2, &then(1_500, attempt(2, 1_000))), "fail", "the next one follows late");
        assert_eq!(check(&t2, &then(1_500, ended())), "fail", "the call ends late");
        assert_eq!(check(&t2, &then(900, ended())), "pass");
        assert_eq!(check(&t2, &[(58_000, started()), (59_500, attempt(1, 1_000))]), "pass", "it may still run");
    }
}
