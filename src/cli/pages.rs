//! The page of a failure, written beside its case; nothing without the feature `report`.

use std::path::PathBuf;

use crate::explore::Failure;
use crate::scenario::Scenario;

/// Writes the page of a failure beside its case; `None` if it has no case file or no trace, or if this program was built
/// without reports.
///
/// # Errors
/// If the file cannot be written, in one line.
#[cfg(feature = "report")]
pub(super) fn write_page(failure: &Failure, scenario: &Scenario, replay: &str) -> Option<Result<PathBuf, String>> {
    let path = failure.saved.as_ref().ok()?.as_ref()?.with_extension("html");
    let page = crate::report::page(failure, &scenario.topology(), replay)?;
    let written = std::fs::write(&path, page).map_err(|error| format!("{}: {error}", path.display()));
    Some(written.map(|()| path))
}

#[cfg(not(feature = "report"))]
pub(super) fn write_page(_: &Failure, _: &Scenario, _: &str) -> Option<Result<PathBuf, String>> {
    None
}

/// Writes the page of a failure, and returns the line that says where it is; empty if there is none.
pub(super) fn report_line(failure: &Failure, scenario: &Scenario, replay: &str) -> String {
    match write_page(failure, scenario, replay) {
        None => String::new(),
        Some(Ok(path)) => format!("report: {}\n", path.display()),
        Some(Err(error)) => format!("report: could not be written: {error}\n"),
    }
}
