//! `cargo sims shrink`: shrinks a saved case for a given time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::ProgressStyle;

use super::arguments::Shrink;
use super::environment::processors;
use super::terminal::{failure_screen, progress_bar, say};
use crate::case_file::CaseFile;
use crate::explore::{self, CaseRef, EXPLAIN_FOR, ExploreOptions, Pool, SeedRange};
use crate::sandbox::EntryPoint;
use crate::scenario::Scenario;

/// Shrinks a case and returns the exit code of its run.
pub(super) fn run(scenarios: Arc<[Scenario]>, arguments: &Shrink) -> Result<u8, String> {
    let file = CaseFile::load(&arguments.file).map_err(|error| error.to_string())?;
    let index = file.scenario_in(&arguments.file, &scenarios).map_err(|error| error.to_string())?;
    let jobs = arguments.workers.jobs.unwrap_or_else(processors);
    let pool = Pool::new(scenarios, jobs, EntryPoint::Main, arguments.workers.hang_after);
    let case_ref = CaseRef::Case(Box::new(file.case.clone()));
    let mut failure = explore::investigate(&pool, index, &case_ref, None).map_err(|error| error.to_string())?;
    let status = failure.status();
    if !failure.outcome.verdict.is_fail() || status == explore::Status::NotDeterministic {
        let file = arguments.file.display();
        say(&format!("{file}: {}: only a case that breaks a promise in every run can be shrunk\n", status.word()));
        return Ok(status.exit_code());
    }
    let options = ExploreOptions {
        shrink_for: arguments.duration,
        shrink_runs: arguments.runs,
        explain_for: EXPLAIN_FOR,
        ..ExploreOptions::new(SeedRange::only(file.case.seed))
    };
    let bar = progress_bar();
    // The template is a valid constant; if it were not, indicatif's own would be shown.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let show_progress = |runs: u64, size: explore::Size| {
        bar.set_message(format!("{runs} runs: {} faults, {} operations", size.faults, size.operations));
        bar.tick();
    };
    explore::study(&pool, index, &mut failure, &options, &mut { show_progress }).map_err(|error| error.to_string())?;
    bar.finish_and_clear();
    let path = arguments.to.clone().unwrap_or_else(|| beside(&arguments.file));
    let Some(found) = &failure.as_found else {
        say(&failure_screen(&failure, &format!("cargo sims replay {}", arguments.file.display())));
        return Ok(failure.status().exit_code());
    };
    let scenario = &pool.scenarios()[index];
    explore::save(scenario, &found.shrunk.case, &failure.outcome, failure.recording.as_deref(), &path)
        .map_err(|error| error.to_string())?;
    failure.saved = Ok(Some(path.clone()));
    say(&failure_screen(&failure, &format!("cargo sims replay {}", path.display())));
    Ok(status.exit_code())
}

/// `x.json` becomes `x-shrunk.json`; a name that already ends in `-shrunk` is kept.
fn beside(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let stem = stem.strip_suffix("-shrunk").unwrap_or(&stem);
    path.with_file_name(format!("{stem}-shrunk.json"))
}
