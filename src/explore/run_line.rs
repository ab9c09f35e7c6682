//! A run of an exploration in one line, as an overview of all runs shows it.

use serde::{Deserialize, Serialize};

use super::run_result::RunResult;
use super::status::Status;
use crate::check::Verdict;
use crate::seed::Seed;

/// A run in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLine {
    /// The seed.
    pub seed: Seed,
    /// How it ended.
    pub status: Status,
    /// The number of faults in its plan.
    pub planned: u64,
    /// The number of those that changed something.
    pub effective: u64,
    /// The simulated time, in milliseconds.
    pub simulated_ms: u64,
    /// The CPU time, in microseconds.
    pub cpu_us: u64,
    /// The first thing that it broke, or why nothing is known; `None` if it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl RunLine {
    /// The line of a run, which was another one when it was repeated if it `differed`.
    pub(super) fn of(result: &RunResult, differed: bool) -> RunLine {
        let outcome = &result.outcome;
        let status = match &outcome.verdict {
            Verdict::Fail(_) => Status::Fail,
            _ if differed => Status::NotDeterministic,
            Verdict::Unknown(_) => Status::Unknown,
            Verdict::Pass => Status::Pass,
        };
        let why = outcome.findings.first().map(|finding| {
            let why = finding.verdict.why().unwrap_or_default();
            format!("{}: {}", finding.check, why.lines().next().unwrap_or_default())
        });
        RunLine {
            seed: outcome.seed,
            status,
            planned: outcome.generators.iter().map(|counts| counts.planned).sum(),
            effective: outcome.generators.iter().map(|counts| counts.effective).sum(),
            simulated_ms: u64::try_from(outcome.simulated.as_millis()).unwrap_or(u64::MAX),
            cpu_us: u64::try_from(result.cpu.as_micros()).unwrap_or(u64::MAX),
            why,
        }
    }
}
