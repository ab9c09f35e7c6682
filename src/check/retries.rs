//! Checks of retries: how many attempts a call makes, how often a client retries, and which requests it retries.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Check, CountedVerdict};
use crate::fault::duration_text as text;
use crate::trace::{HostId, Mark, RetrySafety};

const NO_ATTEMPT: &str = "no attempt was started: emit `Mark::AttemptStarted` for each attempt";

/// R1: no call makes more than `max` attempts. The marks of a call's attempts are counted, whatever numbers they have.
pub fn attempts_at_most(max: u32) -> Check {
    Check::new("R1 attempts are limited", move |trace, _| {
        let mut attempts = Attempts::default();
        for (at, host, mark) in trace.marks() {
            let Some((call, number)) = attempts.next(host, mark) else { continue };
            if number > max {
                let (who, when) = (trace.name(host), text(at));
                let why = format!("R1: call {call} of {who} makes attempt {number} at {when}; the limit is {max}");
                return CountedVerdict::broken(attempts.all, why).at(at);
            }
        }
        CountedVerdict::kept(attempts.all, NO_ATTEMPT)
    })
}

/// Counts the attempts of each call that has not ended, whatever numbers they give themselves.
#[derive(Default)]
struct Attempts {
    open: BTreeMap<(HostId, u64), u32>,
    /// The number of attempts of all calls.
    all: u64,
    /// How many of these were not the first of their call.
    retries: u64,
}

impl Attempts {
    /// The call and the number of its attempt that the mark starts, from 1.
    fn next(&mut self, host: HostId, mark: &Mark) -> Option<(u64, u32)> {
        match mark {
            Mark::AttemptStarted { call, .. } => {
                let count = self.open.entry((host, *call)).or_default();
                *count += 1;
                self.all += 1;
                self.retries += u64::from(*count > 1);
                Some((*call, *count))
            }
            // A client that is started again may give out the same numbers again.
            Mark::CallStarted { call, .. } | Mark::CallEnded { call, .. } => {
                self.open.remove(&(host, *call));
                None
            }
            _ => None,
        }
    }

    /// All retries kept a promise. Where no attempt is followed by another, the promise says nothing about the run.
    fn kept(&self) -> CountedVerdict {
        if self.all > 0 && self.retries == 0 {
            return CountedVerdict::not_applicable();
        }
        CountedVerdict::kept(self.retries, NO_ATTEMPT)
    }
}

/// R2: in every window, the retries of each client host are at most `ratio` times its calls in that window and the one
/// before it, plus `minimum`.
///
/// The window before counts because a budget that was saved up there may be spent here. `minimum` must cover the
/// largest budget that can be saved up, and the retries that a window grants regardless of calls.
pub fn retries_within_budget(window: Duration, ratio: f64, minimum: f64) -> Check {
    Check::new("R2 retries stay within their budget", move |trace, _| {
        let mut budget = RetryBudget::new(window, ratio, minimum);
        let mut attempts = Attempts::default();
        for (at, host, mark) in trace.marks() {
            if let Mark::CallStarted { .. } = mark {
                budget.call(host, at);
            }
            let Some((_, 2..)) = attempts.next(host, mark) else { continue };
            if let Err(why) = budget.retry(host, at) {
                return CountedVerdict::broken(attempts.retries, format!("R2: {} {why}", trace.name(host))).at(at);
            }
        }
        attempts.kept()
    })
}

/// What each host may retry: in every window, a share of its calls in that window and the one before it, and a minimum.
pub(super) struct RetryBudget {
    window: Duration,
    ratio: f64,
    minimum: f64,
    /// The times of the calls and of the retries of each host.
    by_host: BTreeMap<HostId, [VecDeque<Duration>; 2]>,
}

impl RetryBudget {
    pub(super) fn new(window: Duration, ratio: f64, minimum: f64) -> RetryBudget {
        RetryBudget { window, ratio, minimum, by_host: BTreeMap::new() }
    }

    /// A call of this host began.
    pub(super) fn call(&mut self, host: HostId, at: Duration) {
        self.by_host.entry(host).or_default()[0].push_back(at);
    }

    /// This host retried. The error says by how much that was more than it may.
    pub(super) fn retry(&mut self, host: HostId, at: Duration) -> Result<(), String> {
        let [calls, retries] = self.by_host.entry(host).or_default();
        retries.push_back(at);
        forget_before(retries, at.saturating_sub(self.window));
        forget_before(calls, at.saturating_sub(self.window * 2));
        let allowed = self.ratio * calls.len() as f64 + self.minimum;
        if retries.len() as f64 <= allowed {
            return Ok(());
        }
        let (count, calls, at, window) = (retries.len(), calls.len(), text(at), text(self.window));
        Err(format!("made {count} retries in the {window} before {at}; {calls} calls allow {allowed:.1}"))
    }
}

fn forget_before(times: &mut VecDeque<Duration>, from: Duration) {
    while times.front().is_some_and(|at| *at < from) {
        times.pop_front();
    }
}

/// R6: only requests that are idempotent, keyed or provably unsent are retried.
pub fn only_safe_requests_are_retried() -> Check {
    Check::new("R6 only safe requests are retried", |trace, _| {
        let mut attempts = Attempts::default();
        for (at, host, mark) in trace.marks() {
            let Some((call, attempt @ 2..)) = attempts.next(host, mark) else { continue };
            if let Mark::AttemptStarted { safety: RetrySafety::Unsafe, .. } = mark {
                let (who, when) = (trace.name(host), text(at));
                let why = format!(
                    "R6: attempt {attempt} of call {call} of {who} at {when} repeats a request that has no key, is not \
                     idempotent, and may have been executed"
                );
                return CountedVerdict::broken(attempts.retries, why).at(at);
            }
        }
        attempts.kept()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::History;
    use crate::trace::{Event, Trace};

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
        let attempts =
            |numbers: &[u32]| numbers.iter().map(|number| (0, attempt(*number, RetrySafety::Keyed))).collect();
        assert_eq!(check(&attempts_at_most(3), attempts(&[1, 2, 3])), "pass");
        assert_eq!(check(&attempts_at_most(3), attempts(&[1, 2, 3, 4])), "fail");
        assert_eq!(check(&attempts_at_most(3), attempts(&[1, 1, 1, 1])), "fail", "numbers are not believed");
    }

    #[test]
    fn r2_counts_retries_in_any_window() {
        let r2 = retries_within_budget(secs(10), 0.2, 2.0);
        let retries = |times: [u64; 3]| {
            let first = (times[0], attempt(1, RetrySafety::Keyed));
            [vec![first], times.map(|at| (at, attempt(2, RetrySafety::Keyed))).to_vec()].concat()
        };
        assert_eq!(check(&r2, retries([0, 1_000, 12_000])), "pass");
        assert_eq!(check(&r2, retries([8_000, 9_000, 12_000])), "fail");
        let calls: Vec<_> = (0..5).map(|call| (0, Mark::CallStarted { call, deadline: secs(1) })).collect();
        assert_eq!(check(&r2, [calls, retries([8_000, 9_000, 12_000])].concat()), "pass");
    }

    #[test]
    fn r6_judges_only_retries() {
        let r6 = only_safe_requests_are_retried();
        let first = (0, attempt(1, RetrySafety::Unsafe));
        assert_eq!(check(&r6, vec![first.clone()]), "pass");
        assert_eq!(check(&r6, vec![first.clone(), (0, attempt(2, RetrySafety::Unsent))]), "pass");
        assert_eq!(check(&r6, vec![first.clone(), (0, attempt(2, RetrySafety::Unsafe))]), "fail");
        assert_eq!(check(&r6, vec![first.clone(), first]), "fail", "numbers are not believed");
    }
}
