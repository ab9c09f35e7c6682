//! Checks of time limits: calls and their attempts end in time, and the system recovers in time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Check, Verdict, life};
use crate::fault::{duration_text as text, millis};
use crate::history::History;
use crate::trace::{Mark, Trace};

/// How late something may be before it counts as late: one step plus the granularity of tokio's timer.
pub(crate) fn tolerance(trace: &Trace) -> Duration {
    trace.step + millis(2)
}

/// T1: a call ends within its deadline, according to [`Mark::CallStarted`] and [`Mark::CallEnded`].
///
/// A call whose client died, or whose deadline lies beyond the end of the run, is not judged.
pub fn calls_end_within_their_deadline() -> Check {
    Check::new("T1 calls end within their deadline", |trace, _| {
        let mut open = BTreeMap::new();
        for (at, host, mark) in trace.marks() {
            match mark {
                Mark::CallStarted { call, deadline } => {
                    open.insert((host, *call), (at, *deadline));
                }
                Mark::CallEnded { call, .. } => {
                    let Some((started, deadline)) = open.remove(&(host, *call)) else { continue };
                    if at - started > deadline + tolerance(trace) {
                        let (took, who) = (text(at - started), trace.name(host));
                        let deadline = text(deadline);
                        return Verdict::Fail(format!(
                            "T1: call {call} of {who}, started at {} with a deadline of {deadline}, took {took}",
                            text(started)
                        ));
                    }
                }
                _ => {}
            }
        }
        for ((host, call), (started, deadline)) in open {
            let due = started.saturating_add(deadline) + tolerance(trace);
            if due < trace.ended_at && !life::died_between(trace, host, started, due) {
                let (who, started) = (trace.name(host), text(started));
                let deadline = text(deadline);
                return Verdict::Fail(format!(
                    "T1: call {call} of {who}, started at {started} with a deadline of {deadline}, never ended"
                ));
            }
        }
        Verdict::Pass
    })
}

/// A call that has not ended.
struct OpenCall {
    ends_at: Duration,
    /// The running attempt: its number, when it started, and how long it may last.
    attempt: Option<(u32, Duration, Duration)>,
}

/// T2: an attempt lasts at most `attempt_timeout`, or the time left until its call's deadline if that is less, and no
/// attempt starts after the deadline.
pub fn attempts_end_within_their_timeout(attempt_timeout: Duration) -> Check {
    Check::new("T2 attempts end within their timeout", move |trace, _| {
        let mut open: BTreeMap<_, OpenCall> = BTreeMap::new();
        let tolerance = tolerance(trace);
        for (at, host, mark) in trace.marks() {
            let who = trace.name(host);
            match mark {
                Mark::CallStarted { call, deadline } => {
                    let ends_at = at.saturating_add(*deadline);
                    open.insert((host, *call), OpenCall { ends_at, attempt: None });
                }
                Mark::AttemptStarted { call, attempt, timeout, .. } => {
                    let Some(state) = open.get_mut(&(host, *call)) else { continue };
                    let left = state.ends_at.saturating_sub(at);
                    if at > state.ends_at + tolerance {
                        let after = text(at - state.ends_at);
                        return Verdict::Fail(format!(
                            "T2: attempt {attempt} of call {call} of {who} starts {after} after the deadline"
                        ));
                    }
                    let allowed = attempt_timeout.min(left);
                    if *timeout > allowed + tolerance {
                        let (given, allowed) = (text(*timeout), text(allowed));
                        return Verdict::Fail(format!(
                            "T2: attempt {attempt} of call {call} of {who} has a timeout of {given}; \
                             the limit is {allowed}"
                        ));
                    }
                    state.attempt = Some((*attempt, at, allowed));
                }
                Mark::AttemptEnded { call, attempt, .. } => {
                    let running = open.get_mut(&(host, *call)).and_then(|state| state.attempt.take());
                    let Some((_, started, allowed)) = running.filter(|(number, ..)| number == attempt) else {
                        continue;
                    };
                    if at - started > allowed + tolerance {
                        let (took, allowed) = (text(at - started), text(allowed));
                        return Verdict::Fail(format!(
                            "T2: attempt {attempt} of call {call} of {who} lasted {took}; the limit is {allowed}"
                        ));
                    }
                }
                Mark::CallEnded { call, .. } => {
                    open.remove(&(host, *call));
                }
                _ => {}
            }
        }
        Verdict::Pass
    })
}

/// Liveness: every operation invoked at least `within` after the end of the faults is acknowledged. The verdict is
/// unknown if there is no such operation.
pub fn recovers_within(within: Duration) -> Check {
    Check::new("recovers in time", move |trace: &Trace, history: &History| {
        let from = trace.run_for + within;
        let mut after = history.operations.iter().filter(|operation| operation.invoked_at >= from).peekable();
        if after.peek().is_none() {
            return Verdict::Unknown(format!(
                "no operation was invoked after {}; let the clients run for longer",
                text(from)
            ));
        }
        match after.find(|operation| !operation.is_ok()) {
            None => Verdict::Pass,
            Some(operation) => {
                let late = text(operation.invoked_at - trace.run_for);
                Verdict::Fail(format!(
                    "{} was not acknowledged, although it was invoked {late} after the end of the faults",
                    life::describe(operation)
                ))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::secs;
    use crate::trace::{AttemptOutcome, Event, HostId, RetrySafety};

    fn check(check: &Check, marks: &[(u64, Mark)]) -> &'static str {
        let mut trace = Trace::new(vec!["client".into()], millis(10), secs(60), false);
        trace.ended_at = secs(60);
        for (at, mark) in marks {
            trace.push(millis(*at), Some(HostId(0)), Event::Mark(mark.clone()));
        }
        check.judge(&trace, &History::default()).word()
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
        assert_eq!(check(&t1, &[(59_000, started())]), "pass");
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
}
