//! A closer look at a run that failed: once more with all that happened kept, compared, and saved as a case.

use std::path::{Path, PathBuf};

use super::answer::{Answer, Ending};
use super::divergence::Divergence;
use super::job::{Subject, Want};
use super::pool::Pool;
use super::trace_file::{self, event_lines};
use super::{Error, Standing};
use crate::case_file::{self, CaseFile, CaseFileError};
use crate::run::{Outcome, Recording};
use crate::scenario::Case;

/// Whether the same case gave the same run again.
#[derive(Debug)]
pub enum Repeat {
    /// It did.
    Same,
    /// It did not; the first difference between two recorded runs, if those differ.
    Different(Option<Divergence>),
}

/// A run that failed, or that was different when it was repeated.
#[derive(Debug)]
pub struct Failure {
    /// What was run.
    pub subject: Subject,
    /// What it came to at first.
    pub outcome: Outcome,
    /// The case.
    pub case: Case,
    /// All that happened, unless the run did not live to tell.
    pub recording: Option<Box<Recording>>,
    /// What it wrote to standard output and standard error.
    pub output: Vec<u8>,
    /// Whether it was the same when it was repeated.
    pub repeat: Repeat,
    /// Where its case was saved; nowhere if it passes, or if it was given as a case and so is kept by somebody else.
    pub saved: Result<Option<PathBuf>, CaseFileError>,
}

impl Failure {
    /// A broken promise, or a run that cannot be repeated.
    pub fn standing(&self) -> Standing {
        use crate::check::Verdict;
        match (&self.outcome.verdict, &self.repeat) {
            (Verdict::Fail(_), _) => Standing::Fail,
            (_, Repeat::Different(_)) => Standing::NotDeterministic,
            (Verdict::Unknown(_), Repeat::Same) => Standing::Unknown,
            (Verdict::Pass, Repeat::Same) => Standing::Pass,
        }
    }
}

/// What is already known of whether a run can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    RunOnce,
    Same,
    Different,
}

/// Runs a case, records it, repeats it, and saves it in `directory` (or cargo's target directory) if it does not pass.
///
/// # Errors
/// If it cannot be run at all.
pub fn investigate(
    pool: &Pool,
    scenario: usize,
    subject: &Subject,
    directory: Option<&Path>,
) -> Result<Failure, Error> {
    let first = pool.run(scenario, subject, Want::Outcome)?;
    investigate_answer(pool, scenario, subject, first, Evidence::RunOnce, directory)
}

pub(crate) fn investigate_answer(
    pool: &Pool,
    scenario: usize,
    subject: &Subject,
    first: Answer,
    evidence: Evidence,
    directory: Option<&Path>,
) -> Result<Failure, Error> {
    let recorded = pool.run(scenario, subject, Want::Recording)?;
    let is_same = evidence != Evidence::Different && is_recorded(&first, &recorded);
    let repeat = if is_same {
        Repeat::Same
    } else {
        let again = pool.run(scenario, subject, Want::Recording)?;
        Repeat::Different(match (&recorded.recording, &again.recording) {
            (Some(left), Some(right)) => Divergence::between(left, right),
            _ => None,
        })
    };
    let case = match &recorded.recording {
        Some(recording) => recording.case.clone(),
        None => pool.draw(scenario, subject)?,
    };
    let path = match directory {
        Some(directory) => directory.join(case_file::default_path(&case).file_name().unwrap_or_default()),
        None => case_file::default_path(&case),
    };
    let passes = is_same && first.outcome.verdict.is_pass();
    let saved = if passes || matches!(subject, Subject::Case(_)) {
        Ok(None)
    } else {
        let events = recorded.recording.as_ref().map(|recording| event_lines(recording)).unwrap_or_default();
        let (scenario, outcome) = (&pool.scenarios()[scenario], &first.outcome);
        let file = CaseFile::new(scenario, case.clone(), outcome.fingerprint, outcome.verdict.clone(), &events);
        trace_file::save(&file, &events, &path).map(|()| Some(path))
    };
    let recording = recorded.recording.filter(|_| first.ending == Ending::Returned);
    let subject = subject.clone();
    Ok(Failure { subject, outcome: first.outcome, case, recording, output: first.output, repeat, saved })
}

/// Recording never changes a run, but it takes time and memory: a run near its limits may not survive it.
fn is_recorded(first: &Answer, recorded: &Answer) -> bool {
    let went_over = first.ending == Ending::Returned && recorded.ending == Ending::Hung;
    went_over || first.is_same_run(recorded)
}
