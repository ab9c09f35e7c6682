//! The identity of a broken promise, which must stay the same while a case is shrunk.

use crate::check::{Breach, Finding};
use crate::run::{CHECK_PANICKED, Outcome};

/// The place of a promise that a run broke by taking too long.
pub(super) const HANG: &str = "hang";

/// The place of a promise that a run broke by using up its CPU time while its virtual time moved.
const SLOW: &str = "slow";

/// A broken promise: the check and, for failures without a check in the scenario, the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The check that failed first.
    pub check: String,
    /// Where a panic was raised, which program failed, or how a process ended; empty for the scenario's own checks.
    pub place: String,
}

impl Promise {
    /// The promise that a run broke first; `None` if it broke none.
    pub fn of(outcome: &Outcome) -> Option<Promise> {
        let finding = outcome.findings.iter().find(|finding| finding.verdict.is_fail())?;
        Some(Promise { check: finding.check.clone(), place: place(finding, outcome) })
    }

    /// Whether a run broke this promise, whatever else it broke.
    pub fn is_broken_by(&self, outcome: &Outcome) -> bool {
        let mut failing = outcome.findings.iter().filter(|finding| finding.verdict.is_fail());
        failing.any(|finding| finding.check == self.check && place(finding, outcome) == self.place)
    }
}

fn place(finding: &Finding, outcome: &Outcome) -> String {
    let Some(why) = finding.verdict.breach().map(Breach::why) else { return String::new() };
    match finding.check.as_str() {
        // A hang is ended by a limit, which differs from run to run.
        "process" if why.starts_with(HANG) => HANG.to_owned(),
        "process" if why.starts_with(SLOW) => SLOW.to_owned(),
        "process" => [" on host ", " outside any host "].iter().fold(why, |text, end| up_to(text, end)).to_owned(),
        "program" => up_to(why, " failed").to_owned(),
        "no_panics" => outcome.panics.first().map(|panic| panic.location.clone()).unwrap_or_default(),
        _ if why.starts_with(CHECK_PANICKED) => up_to(why, ": ").to_owned(),
        _ => String::new(),
    }
}

fn up_to<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or(text, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::Verdict;
    use crate::sandbox::PanicNote;
    use crate::scenario::Scenario;
    use crate::seed::Seed;

    fn outcome(findings: &[(&str, &str)], panic_at: Option<&str>) -> Outcome {
        let scenario =
            Scenario::new("s").host("a", |_| async {}).run_for(Duration::from_millis(10)).settle_for(Duration::ZERO);
        let case = scenario.case(Seed(1));
        let finding =
            |(check, why): &(&str, &str)| Finding { check: (*check).to_owned(), verdict: Verdict::fail(*why) };
        let panic = |location: &str| PanicNote {
            message: "no".to_owned(),
            location: location.to_owned(),
            host: None,
            at: Duration::ZERO,
        };
        Outcome {
            findings: findings.iter().map(finding).collect(),
            panics: panic_at.map(panic).into_iter().collect(),
            ..crate::run::run(&scenario, &case, crate::run::Detail::Lean).outcome
        }
    }

    #[test]
    fn a_promise_is_the_same_if_check_and_place_are() {
        let check = |broken: &[(&str, &str)], again: &[(&str, &str)], expected| {
            let promise = Promise::of(&outcome(broken, None)).unwrap();
            assert_eq!(promise.is_broken_by(&outcome(again, None)), expected, "{broken:?} and {again:?}");
        };
        check(&[("T1", "took 5s")], &[("T1", "took 9s")], true);
        check(&[("T1", "took 5s")], &[("T2", "took 5s")], false);
        check(&[("T1", "took 5s")], &[], false);
        check(&[("T1", "took 5s"), ("T2", "late")], &[("R1", "many"), ("T1", "took 6s")], true);
        let aborted = |place: &str| format!("the program aborted (signal 6){place}");
        check(&[("process", &aborted(" on host a at 1s"))], &[("process", &aborted(" on host b at 2s"))], true);
        let exited = "the program ended the whole process with exit code 0 on host a at 1s";
        check(&[("process", exited)], &[("process", &aborted(" on host a at 1s"))], false);
        check(&[("process", "hang: it used 10s")], &[("process", "hang: it used 250ms")], true);
        check(&[("program", "the program of a failed: x")], &[("program", "the program of a failed: y")], true);
        check(&[("program", "the program of a failed: x")], &[("program", "the program of b failed: x")], false);
        assert_eq!(Promise::of(&outcome(&[], None)), None);
    }

    #[test]
    fn panics_are_distinguished_by_their_place() {
        let panicked = |location| outcome(&[("no_panics", "a task of a panicked")], Some(location));
        let promise = Promise::of(&panicked("a.rs:1:2")).unwrap();
        assert!(promise.is_broken_by(&panicked("a.rs:1:2")));
        assert!(!promise.is_broken_by(&panicked("a.rs:9:2")));
    }
}
