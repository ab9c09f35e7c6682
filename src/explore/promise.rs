//! What a run broke, as far as it must stay the same while its case is made smaller. It knows nothing of how that is done.

use crate::check::{Finding, Verdict};
use crate::run::Outcome;

/// The place of a run that took too long.
pub(super) const HANG: &str = "hang";

/// A broken promise: the check, and for what has no check of its own, the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The check that failed first.
    pub check: String,
    /// Where a panic was raised, which program failed, or how a process ended; empty for the scenario's own checks.
    pub place: String,
}

impl Promise {
    /// The promise that a run broke; none if it broke none.
    pub fn of(outcome: &Outcome) -> Option<Promise> {
        let finding = outcome.findings.iter().find(|finding| finding.verdict.is_fail())?;
        Some(Promise { check: finding.check.clone(), place: place(finding, outcome) })
    }

    /// Whether a run broke this promise, too, whatever else it broke.
    pub fn is_broken_by(&self, outcome: &Outcome) -> bool {
        let mut failing = outcome.findings.iter().filter(|finding| finding.verdict.is_fail());
        failing.any(|finding| finding.check == self.check && place(finding, outcome) == self.place)
    }
}

fn place(finding: &Finding, outcome: &Outcome) -> String {
    let Verdict::Fail(why) = &finding.verdict else { return String::new() };
    match finding.check.as_str() {
        // A hang is ended by a limit, which differs from run to run.
        "process" if why.starts_with(HANG) => HANG.to_owned(),
        "process" => [" on host ", " outside of "].iter().fold(why.as_str(), |text, end| up_to(text, end)).to_owned(),
        "program" => up_to(why, " failed").to_owned(),
        "no_panics" => outcome.panics.first().map(|panic| panic.location.clone()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn up_to<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or(text, |(before, _)| before)
}
