//! What `explore` writes for a job of a continuous integration and for tools; all of it needs the feature `report`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::regressions::Rechecked;
use crate::explore::{Exploration, Failure, Status};
use crate::scenario::Scenario;

/// The flags for jobs and tools.
#[derive(Clone, Debug, Args)]
pub(crate) struct JobOutput {
    /// Write the results to this file as JUnit XML, with a test case for each scenario and for each kept case.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary to this file as Markdown, for the page of a job.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write an overview to this file as a page for a browser: verdicts by seed, faults, situations, checks, latencies and the
    /// slowest runs. Each run then measures how long operations and exchanges take.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// What to print: text for people, or a JSON object in each line for tools (`failure`, `scenario`, `summary`).
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "human", hide_possible_values = true)]
    message_format: MessageFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MessageFormat {
    Human,
    Json,
}

/// The command that replays a failure.
type Replay<'a> = &'a dyn Fn(&Failure) -> String;

impl JobOutput {
    /// Whether tools read the output, so that it holds nothing else.
    pub(super) fn is_json(&self) -> bool {
        self.message_format == MessageFormat::Json
    }

    /// Creates the files, so that a long exploration does not end with one that cannot be written.
    pub(super) fn begin(&self) -> Result<(), String> {
        let mut files = self.junit.iter().chain(&self.markdown).chain(&self.html);
        if !cfg!(feature = "report") && (self.is_json() || files.next().is_some()) {
            return Err(super::environment::WITHOUT_REPORTS.to_owned());
        }
        files.try_for_each(|path| write(path, ""))
    }

    /// Whether an overview is written.
    pub(super) fn has_overview(&self) -> bool {
        self.html.is_some()
    }
}

#[cfg(feature = "report")]
impl JobOutput {
    /// The lines of a scenario that is finished.
    pub(super) fn finished(&self, exploration: &Exploration, scenario: &Scenario, replay: Replay<'_>) -> String {
        use crate::report::job::{JobResult, failure_line_of_json, finished_line_of_json};

        let result = JobResult { exploration, replay };
        let mut lines = String::new();
        for (place, failure) in exploration.failures.iter().enumerate() {
            // As in the output for people, only the first failure has a page.
            let page = (place == 0).then(|| super::pages::write_page(failure, scenario, &replay(failure))).flatten();
            lines.push_str(&failure_line_of_json(&result, failure, page.and_then(Result::ok).as_deref()));
        }
        lines + &finished_line_of_json(&result)
    }

    /// The last line.
    pub(super) fn summary(&self, explorations: &[Exploration], status: Status) -> String {
        crate::report::job::summary_line_of_json(explorations, status)
    }

    /// Writes the files. `status` is the worst of all, and `flags` restrict which faults seeds draw.
    pub(super) fn finish(
        &self,
        explorations: &[Exploration],
        replay: Replay<'_>,
        kept: &Rechecked,
        status: Status,
        flags: &str,
    ) -> Result<(), String> {
        use super::overviews::replay_of_seeds;
        use crate::report::job::{JobResult, junit, markdown};
        use crate::report::{ExploredScenario, Overview, overview};

        let results: Vec<_> = explorations.iter().map(|exploration| JobResult { exploration, replay }).collect();
        self.junit.iter().try_for_each(|path| write(path, &junit(&results, &kept.cases)))?;
        self.markdown.iter().try_for_each(|path| write(path, &markdown(&results)))?;
        let Some(path) = &self.html else { return Ok(()) };
        let scenarios = results.iter().map(|result| ExploredScenario {
            exploration: result.exploration,
            replay: replay_of_seeds(&result.exploration.scenario, flags),
            text: result.text(),
        });
        let scenarios = scenarios.collect();
        let (status, kept) = (status.word(), kept.text.as_str());
        let page = overview(&Overview { scenarios, hunts: &[], status, kept, problems: &[] });
        write(path, &page)
    }
}

/// Without reports, `begin` has refused the flags.
#[cfg(not(feature = "report"))]
impl JobOutput {
    pub(super) fn finished(&self, _: &Exploration, _: &Scenario, _: Replay<'_>) -> String {
        String::new()
    }

    pub(super) fn summary(&self, _: &[Exploration], _: Status) -> String {
        String::new()
    }

    pub(super) fn finish(
        &self,
        _: &[Exploration],
        _: Replay<'_>,
        _: &Rechecked,
        _: Status,
        _: &str,
    ) -> Result<(), String> {
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
