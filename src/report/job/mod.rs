//! Results of explorations for a job of a continuous integration, and for tools: JUnit XML, Markdown, and lines of JSON.

mod json_lines;
mod junit;
mod markdown;

pub use json_lines::{failure_line_of_json, finished_line_of_json, summary_line_of_json};
pub use junit::junit;
pub use markdown::markdown;

use super::screen::{ScreenStyle, failure_line, screen};
use super::text;
use crate::check::Finding;
use crate::explore::{Exploration, Failure, Status};

/// An exploration, and the command that replays each of its failures.
pub struct JobResult<'a> {
    /// The exploration.
    pub exploration: &'a Exploration,
    /// The command that replays a failure.
    pub replay: &'a dyn Fn(&Failure) -> String,
}

impl JobResult<'_> {
    /// All that is known about why the exploration does not pass, without colours; empty if it passes.
    pub(crate) fn text(&self) -> String {
        if self.exploration.status() == Status::Pass {
            return String::new();
        }
        let mut text = String::new();
        for (place, failure) in self.exploration.failures.iter().enumerate() {
            match place {
                0 => {
                    let replay = (self.replay)(failure);
                    text.push_str(&screen(failure, &replay, Some(self.exploration), ScreenStyle::default()));
                }
                _ => text.push_str(&format!("{}\n", failure_line(failure))),
            }
        }
        text.push_str(&text::remarks(self.exploration));
        text
    }

    /// Why the exploration does not pass, in one line; `None` if it passes.
    fn reason(&self) -> Option<String> {
        if self.exploration.status() == Status::Pass {
            return None;
        }
        let failure = self.exploration.failures.first();
        let of_failure = failure.map(|failure| format!("seed {}: {}", failure.outcome.seed, reason_of(failure)));
        let remark = || text::remarks(self.exploration).lines().next().unwrap_or_default().to_owned();
        Some(of_failure.unwrap_or_else(remark))
    }
}

/// The first thing that a run broke, in one line.
fn reason_of(failure: &Failure) -> String {
    let finding = first_finding(failure);
    match (failure.status(), finding) {
        (Status::NotDeterministic, _) => "not deterministic: a second run was different".to_owned(),
        (status, None) => status.word().to_owned(),
        (_, Some(finding)) => {
            let why = finding.verdict.why().unwrap_or_default();
            format!("{}: {}", finding.check, why.lines().next().unwrap_or_default())
        }
    }
}

fn first_finding(failure: &Failure) -> Option<&Finding> {
    failure.outcome.findings.iter().find(|finding| !finding.verdict.is_pass())
}
