//! `cargo sims diff`: two runs side by side from where they part.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::environment::{WITHOUT_REPORTS, processors};
use super::terminal::{columns, say};
use crate::case_file::CaseFile;
use crate::explore::{self, CaseRef, Pool, recorded_lines};
use crate::report::{Side, diff_text, told, told_of_lines};
use crate::sandbox::EntryPoint;
use crate::scenario::Scenario;

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A case file.
    #[arg(value_name = "A.json")]
    a: PathBuf,
    /// Another case file of the same scenario. Default: the run of A that was recorded, beside the run that it makes now.
    #[arg(value_name = "B.json")]
    b: Option<PathBuf>,
    /// Show all rows, not only the first ones from where the runs part.
    #[arg(long)]
    all: bool,
    /// Write both runs to this file as a page (HTML).
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Shows two runs and returns 0 once they are shown, whether or not they differ.
pub(super) fn run(scenarios: Arc<[Scenario]>, arguments: &Diff) -> Result<u8, String> {
    if arguments.html.is_some() && !cfg!(feature = "report") {
        return Err(WITHOUT_REPORTS.to_owned());
    }
    let pool = Pool::new(scenarios, processors(), EntryPoint::Main, None);
    let (a, index) = load(&pool, &arguments.a)?;
    let (left, right) = match &arguments.b {
        Some(path) => {
            let (b, other) = load(&pool, path)?;
            if index != other {
                let (a, b) = (&a.case.scenario, &b.case.scenario);
                return Err(format!("these are cases of two scenarios, `{a}` and `{b}`: compare two of the same"));
            }
            (made_now(&pool, index, &a)?, made_now(&pool, index, &b)?)
        }
        None => before_and_now(&pool, index, &a, &arguments.a)?,
    };
    say(&diff_text(&left, &right, columns(), arguments.all));
    if let Some(path) = &arguments.html {
        write_page(path, &left, &right)?;
    }
    Ok(0)
}

fn load(pool: &Pool, path: &Path) -> Result<(CaseFile, usize), String> {
    let file = CaseFile::load(path).map_err(|error| error.to_string())?;
    let index = file.scenario_in(path, pool.scenarios()).map_err(|error| error.to_string())?;
    Ok((file, index))
}

/// The run that a case makes now.
fn made_now(pool: &Pool, index: usize, file: &CaseFile) -> Result<Side, String> {
    let failure = investigate(pool, index, file)?;
    let recording = failure.recording.as_deref().ok_or("a run died without a trace: nothing to compare")?;
    let title = title(file, &failure.outcome.verdict.to_string());
    Ok(Side { title, plan: Some(file.case.plan.clone()), lines: told(recording) })
}

/// The run of a case that was recorded beside its file, and the one that it makes now.
fn before_and_now(pool: &Pool, index: usize, file: &CaseFile, path: &Path) -> Result<(Side, Side), String> {
    let recorded = recorded_lines(path, file.fingerprint).ok_or_else(|| {
        format!("no trace of the recorded run is beside {}: name a second case to compare it with", path.display())
    })?;
    let failure = investigate(pool, index, file)?;
    let recording = failure.recording.as_deref().ok_or("the run died without a trace: nothing to compare")?;
    let lines = told_of_lines(&explore::event_lines(recording));
    let before = title(file, &format!("recorded: {}", file.verdict));
    let now = title(file, &format!("now: {}", failure.outcome.verdict));
    Ok((Side { title: before, plan: None, lines: told_of_lines(&recorded) }, Side { title: now, plan: None, lines }))
}

fn investigate(pool: &Pool, index: usize, file: &CaseFile) -> Result<explore::Failure, String> {
    let case_ref = CaseRef::Case(Box::new(file.case.clone()));
    explore::investigate(pool, index, &case_ref, None).map_err(|error| error.to_string())
}

fn title(file: &CaseFile, verdict: &str) -> String {
    let first = verdict.lines().next().unwrap_or_default();
    format!("{}, seed {}, {first}", file.case.scenario, file.case.seed)
}

#[cfg(feature = "report")]
fn write_page(path: &Path, left: &Side, right: &Side) -> Result<(), String> {
    let page = crate::report::diff_page(left, right);
    std::fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    say(&format!("page: {}\n", path.display()));
    Ok(())
}

/// Without reports, `run` has refused the flag.
#[cfg(not(feature = "report"))]
fn write_page(_: &Path, _: &Side, _: &Side) -> Result<(), String> {
    Ok(())
}
