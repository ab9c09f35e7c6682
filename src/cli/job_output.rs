//! What `explore` writes for a job of a continuous integration and for tools; all of it needs the feature `report`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::explore::{Exploration, Failure, Status};
use crate::scenario::Scenario;

/// The flags for jobs and tools.
#[derive(Clone, Debug, Args)]
pub(crate) struct JobOutput {
    /// Write the results to this file as JUnit XML, with a test case for each scenario.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary to this file as Markdown, for the page of a job.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
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
        if !cfg!(feature = "report") && (self.junit.is_some() || self.markdown.is_some() || self.is_json()) {
            return Err(super::environment::WITHOUT_REPORTS.to_owned());
        }
        self.junit.iter().chain(&self.markdown).try_for_each(|path| write(path, ""))
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

    /// Writes the files.
    pub(super) fn finish(&self, explorations: &[Exploration], replay: Replay<'_>) -> Result<(), String> {
        use crate::report::job::{JobResult, junit, markdown};

        let results: Vec<_> = explorations.iter().map(|exploration| JobResult { exploration, replay }).collect();
        self.junit.iter().try_for_each(|path| write(path, &junit(&results)))?;
        self.markdown.iter().try_for_each(|path| write(path, &markdown(&results)))
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

    pub(super) fn finish(&self, _: &[Exploration], _: Replay<'_>) -> Result<(), String> {
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
