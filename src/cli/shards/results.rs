//! The results of a shard, as they stand in its file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::explore::{Exploration, Failure, Hunt, Latencies, Promise, RunLine, Status, Sweep, Totals};
use crate::fault::Plan;

/// What a shard has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Results {
    /// The explorations of the scenarios of which it has seeds, and the kept cases if it ran them.
    Explored { scenarios: Vec<Explored>, kept: Option<Kept> },
    /// The mistakes that it looked for.
    Hunted { hunts: Vec<Hunt> },
    /// The trials that it made, and the cases that were not survived, each with the file in which it was saved.
    Swept { sweep: Box<Sweep>, cases: Vec<(PathBuf, String)> },
}

/// What a shard has found in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Explored {
    /// The figures of its part of the seeds.
    #[serde(flatten)]
    pub(crate) totals: Totals,
    /// From how many runs on a situation counts as missed, and a check as idle.
    pub(crate) min_runs: u64,
    pub(crate) notes: Vec<String>,
    pub(crate) failures: Vec<Found>,
    /// Its runs, if an overview was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lines: Vec<RunLine>,
    /// How long operations and exchanges took, if an overview was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) latencies: Option<Latencies>,
}

/// A run that did not pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    pub(crate) seed: String,
    pub(crate) status: Status,
    /// The promise that it broke, and where; empty if it broke none.
    pub(crate) promise: String,
    /// How it broke it.
    pub(crate) why: String,
    /// The kinds and targets of the faults that are left after shrinking, without their times; `None` if it was not shrunk.
    pub(crate) plan: Option<Vec<String>>,
    /// The name of the case's file.
    pub(crate) file: Option<PathBuf>,
    /// The contents of the case's file.
    pub(crate) case: Option<String>,
}

/// The kept cases of the project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// What is said of them.
    pub(crate) text: String,
    pub(crate) status: Status,
}

impl Explored {
    /// The results of an exploration of a part of the seeds.
    pub(crate) fn of(exploration: &Exploration) -> Explored {
        let unknown = exploration.first_unknown.as_ref();
        let unknown = unknown.map(|outcome| format!("seed {} is the first whose verdict is unknown", outcome.seed));
        Explored {
            totals: Totals::of(exploration),
            min_runs: exploration.coverage.min_runs,
            notes: exploration.notes.iter().cloned().chain(unknown).collect(),
            failures: exploration.failures.iter().map(Found::of).collect(),
            lines: exploration.lines.clone(),
            latencies: exploration.latencies.clone(),
        }
    }
}

impl Found {
    fn of(failure: &Failure) -> Found {
        let promise = Promise::of(&failure.outcome).map_or_else(String::new, |promise| match promise.place.as_str() {
            "" => promise.check,
            place => format!("{} ({place})", promise.check),
        });
        let finding = failure.outcome.findings.iter().find(|finding| !finding.verdict.is_pass());
        let why = finding.and_then(|finding| finding.verdict.why()).unwrap_or_default();
        let saved = failure.saved.as_ref().ok().and_then(Option::as_deref);
        Found {
            seed: failure.outcome.seed.to_string(),
            status: failure.status(),
            promise,
            why: why.lines().next().unwrap_or_default().to_owned(),
            plan: failure.as_found.is_some().then(|| shape(&failure.case.plan)),
            file: saved.and_then(Path::file_name).map(PathBuf::from),
            case: saved.and_then(contents),
        }
    }
}

/// The contents of a case file.
pub(crate) fn contents(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The kinds and targets of the faults of a plan, without their times.
fn shape(plan: &Plan) -> Vec<String> {
    let mut shape: Vec<String> = plan.faults.iter().map(|fault| fault.without_times()).collect();
    shape.sort();
    shape
}
