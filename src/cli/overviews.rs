//! Overviews as pages: of hunts for mistakes, and what those of explorations share. They need the feature `report`.

use std::path::Path;

use super::environment::WITHOUT_REPORTS;
use crate::explore::Hunt;
#[cfg(feature = "report")]
use crate::explore::Status;

/// Creates the page, so that long work does not end with one that cannot be written.
pub(super) fn begin(path: &Path) -> Result<(), String> {
    if !cfg!(feature = "report") {
        return Err(WITHOUT_REPORTS.to_owned());
    }
    write(path, "")
}

/// Writes the table of mistakes as a page, with what is missing.
#[cfg(feature = "report")]
pub(super) fn write_hunts(path: &Path, hunts: &[Hunt], problems: &[String]) -> Result<(), String> {
    use crate::report::{Overview, overview};

    let status = if hunts.iter().all(Hunt::is_caught) { Status::Pass } else { Status::Fail };
    let status = word(status, problems);
    write(path, &overview(&Overview { scenarios: Vec::new(), hunts, status, kept: "", problems }))
}

/// Without reports, `begin` has refused the flag.
#[cfg(not(feature = "report"))]
pub(super) fn write_hunts(_: &Path, _: &[Hunt], _: &[String]) -> Result<(), String> {
    Err(WITHOUT_REPORTS.to_owned())
}

/// The status of everything, in a word: what passes is incomplete if something is missing.
#[cfg(feature = "report")]
pub(super) fn word(status: Status, problems: &[String]) -> &'static str {
    if status == Status::Pass && !problems.is_empty() { "incomplete" } else { status.word() }
}

/// The command that runs a seed of a scenario again, up to the seed. `flags` restrict which faults it draws.
#[cfg(feature = "report")]
pub(super) fn replay_of_seeds(scenario: &str, flags: &str) -> String {
    format!("cargo sims replay {scenario}{flags} --seed")
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
