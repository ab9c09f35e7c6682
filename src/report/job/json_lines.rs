//! Results for tools: one JSON object in each line, named by its `type`. Fields may be added, and none changes its meaning.

use std::path::Path;

use serde::Serialize;

use super::{JobResult, first_finding};
use crate::explore::{Exploration, Failure, Status, Totals};
use crate::report::screen::{ScreenStyle, screen};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line<'a> {
    /// A run that does not pass.
    Failure {
        scenario: &'a str,
        seed: String,
        status: &'static str,
        check: Option<&'a str>,
        why: Option<&'a str>,
        /// When the promise was broken, in seconds of virtual time.
        at: Option<f64>,
        /// The case, shrunk if it could be.
        case_file: Option<&'a Path>,
        /// The case as it was found, if it was shrunk.
        as_found: Option<&'a Path>,
        report: Option<&'a Path>,
        replay: String,
        screen: String,
    },
    /// A scenario is finished.
    Scenario {
        #[serde(flatten)]
        totals: Totals,
        why: Option<String>,
    },
    /// All scenarios are finished.
    Summary { status: &'static str, exit_code: u8, scenarios: usize, passed: usize, runs: u64, failed: u64 },
}

fn line(line: &Line<'_>) -> String {
    // Nothing in a line is a map, so every key is text.
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    text
}

/// The line of a run that does not pass. `report` is its page, if it has one.
pub fn failure_line_of_json(result: &JobResult<'_>, failure: &Failure, report: Option<&Path>) -> String {
    let saved = |failure: &'_ Failure| failure.saved.as_ref().ok().and_then(|path| path.clone());
    let finding = first_finding(failure);
    let moment = finding.and_then(|finding| finding.verdict.breach()).and_then(|breach| breach.moment());
    let (case_file, as_found) = (saved(failure), failure.as_found.as_ref().and_then(|found| saved(&found.failure)));
    let replay = (result.replay)(failure);
    line(&Line::Failure {
        scenario: &failure.outcome.scenario,
        seed: failure.outcome.seed.to_string(),
        status: failure.status().word(),
        check: finding.map(|finding| finding.check.as_str()),
        why: finding.and_then(|finding| finding.verdict.why()),
        at: moment.map(|at| at.as_secs_f64()),
        case_file: case_file.as_deref(),
        as_found: as_found.as_deref(),
        report,
        screen: screen(failure, &replay, Some(result.exploration), ScreenStyle::default()),
        replay,
    })
}

/// The line of a scenario that is finished.
pub fn finished_line_of_json(result: &JobResult<'_>) -> String {
    line(&Line::Scenario { totals: Totals::of(result.exploration), why: result.reason() })
}

/// The last line. `status` is the worst of all, that of kept cases included.
pub fn summary_line_of_json(explorations: &[Exploration], status: Status) -> String {
    line(&Line::Summary {
        status: status.word(),
        exit_code: status.exit_code(),
        scenarios: explorations.len(),
        passed: explorations.iter().filter(|exploration| exploration.status() == Status::Pass).count(),
        runs: explorations.iter().map(|exploration| exploration.runs).sum(),
        failed: explorations.iter().map(|exploration| exploration.failed).sum(),
    })
}
