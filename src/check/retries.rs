//! Checks of retries: how many attempts a call makes, how often a client retries, and which requests it retries.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Check, Verdict};
use crate::fault::duration_text as text;
use crate::trace::{Mark, RetrySafety};

/// R1: no call makes more than `max` attempts.
pub fn attempts_at_most(max: u32) -> Check {
    Check::new("R1 attempts are limited", move |trace, _| {
        for (at, host, mark) in trace.marks() {
            if let Mark::AttemptStarted { call, attempt, .. } = mark
                && *attempt > max
            {
                let (who, at) = (trace.name(host), text(at));
                return Verdict::Fail(format!(
                    "R1: call {call} of {who} makes attempt {attempt} at {at}; the limit is {max}"
                ));
            }
        }
        Verdict::Pass
    })
}

/// R2: in every window, the retries of each client host are at most `ratio` times its calls in that window and the one
/// before it, plus `minimum`.
///
/// The window before counts because a budget that was saved up there may be spent here. `minimum` must cover the
/// largest budget that can be saved up, and the retries that a window grants regardless of calls.
pub fn retries_within_budget(window: Duration, ratio: f64, minimum: f64) -> Check {
    Check::new("R2 retries stay within their budget", move |trace, _| {
        let mut calls: BTreeMap<_, VecDeque<Duration>> = BTreeMap::new();
        let mut retries: BTreeMap<_, VecDeque<Duration>> = BTreeMap::new();
        for (at, host, mark) in trace.marks() {
            match mark {
                Mark::CallStarted { .. } => calls.entry(host).or_default().push_back(at),
                Mark::AttemptStarted { attempt: 2.., .. } => {
                    let retries = retries.entry(host).or_default();
                    retries.push_back(at);
                    forget_before(retries, at.saturating_sub(window));
                    let calls = calls.entry(host).or_default();
                    forget_before(calls, at.saturating_sub(window * 2));
                    let allowed = ratio * calls.len() as f64 + minimum;
                    if retries.len() as f64 > allowed {
                        let (who, count, calls) = (trace.name(host), retries.len(), calls.len());
                        let (at, window) = (text(at), text(window));
                        return Verdict::Fail(format!(
                            "R2: {who} made {count} retries in the {window} before {at}; \
                             {calls} calls allow {allowed:.1}"
                        ));
                    }
                }
                _ => {}
            }
        }
        Verdict::Pass
    })
}

fn forget_before(times: &mut VecDeque<Duration>, from: Duration) {
    while times.front().is_some_and(|at| *at < from) {
        times.pop_front();
    }
}

/// R6: only requests that are idempotent, keyed or provably unsent are retried.
pub fn only_safe_requests_are_retried() -> Check {
    Check::new("R6 only safe requests are retried", |trace, _| {
        for (at, host, mark) in trace.marks() {
            if let Mark::AttemptStarted { call, attempt: attempt @ 2.., safety: RetrySafety::Unsafe, .. } = mark {
                let (who, at) = (trace.name(host), text(at));
                return Verdict::Fail(format!(
                    "R6: attempt {attempt} of call {call} of {who} at {at} repeats a request that has no key, is not \
                     idempotent, and may have been executed"
                ));
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
    use crate::trace::{Event, HostId, Trace};

    fn check(check: &Check, marks: Vec<(u64, Mark)>) -> &'static str {
        let mut trace = Trace::new(vec!["client".into()], millis(10), secs(60), false);
        for (at, mark) in marks {
            trace.push(millis(at), Some(HostId(0)), Event::Mark(mark));
        }
        check.judge(&trace, &History::default()).word()
    }

    fn attempt(attempt: u32, safety: RetrySafety) -> Mark {
        Mark::AttemptStarted { call: 1, attempt, timeout: secs(1), safety }
    }

    #[test]
    fn r1_counts_attempts() {
        assert_eq!(check(&attempts_at_most(3), vec![(0, attempt(3, RetrySafety::Keyed))]), "pass");
        assert_eq!(check(&attempts_at_most(3), vec![(0, attempt(4, RetrySafety::Keyed))]), "fail");
    }

    #[test]
    fn r2_counts_retries_in_any_window() {
        let r2 = retries_within_budget(secs(10), 0.2, 2.0);
        let retries = |times: [u64; 3]| times.map(|at| (at, attempt(2, RetrySafety::Keyed))).to_vec();
        assert_eq!(check(&r2, retries([0, 1_000, 12_000])), "pass");
        assert_eq!(check(&r2, retries([8_000, 9_000, 12_000])), "fail");
        let calls: Vec<_> = (0..5).map(|call| (0, Mark::CallStarted { call, deadline: secs(1) })).collect();
        assert_eq!(check(&r2, [calls, retries([8_000, 9_000, 12_000])].concat()), "pass");
    }

    #[test]
    fn r6_judges_only_retries() {
        let r6 = only_safe_requests_are_retried();
        assert_eq!(check(&r6, vec![(0, attempt(1, RetrySafety::Unsafe))]), "pass");
        assert_eq!(check(&r6, vec![(0, attempt(2, RetrySafety::Unsent))]), "pass");
        assert_eq!(check(&r6, vec![(0, attempt(2, RetrySafety::Unsafe))]), "fail");
    }
}
