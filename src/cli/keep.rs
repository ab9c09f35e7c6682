//! `cargo sims keep` and `cargo sims rust`: keep a failing case as a regression, or print it as a test.

use std::path::{Path, PathBuf};

use super::arguments::Keep;
use super::regressions::{directory_in, project, shortened};
use super::terminal::say;
use crate::case_file::{CaseFile, file_name, plain_name};
use crate::report::rust_test;
use crate::scenario::Scenario;

/// Moves a case to the directory in which the project keeps its regressions.
pub(super) fn keep(scenarios: &[Scenario], arguments: &Keep) -> Result<u8, String> {
    let from = &arguments.file;
    let file = load(from, scenarios)?;
    let directory = match &arguments.to {
        Some(directory) => directory.clone(),
        None => {
            let project = project().ok_or(
                "no project found: neither this directory nor one above it has a Cargo.toml and `sims/`; name the \
                 directory to move the case to with --to DIR",
            )?;
            directory_in(&project).join(plain_name(&file.case.scenario))
        }
    };
    let to = shortened(&directory.join(file_name(&file.case)));
    let (from_text, to_text) = (from.display(), to.display());
    if to.exists() {
        let known = CaseFile::load(&to).map_err(|error| error.to_string())?;
        if known.case != file.case {
            return Err(format!("{to_text} already holds another case: keep {from_text} elsewhere with --to DIR"));
        }
        if !is_same_file(from, &to) {
            remove(from)?;
        }
        say(&format!("{to_text} already holds this case\n"));
        return Ok(0);
    }
    file.without_recording().save(&to).map_err(|error| error.to_string())?;
    remove(from)?;
    say(&format!("moved {from_text} to {to_text}: from now on it runs first and must pass\n"));
    Ok(0)
}

/// Prints a case as a Rust test.
pub(super) fn print_rust(scenarios: &[Scenario], path: &Path) -> Result<u8, String> {
    say(&rust_test(&load(path, scenarios)?));
    Ok(0)
}

fn load(path: &Path, scenarios: &[Scenario]) -> Result<CaseFile, String> {
    let file = CaseFile::load(path).map_err(|error| error.to_string())?;
    file.scenario_in(path, scenarios).map_err(|error| error.to_string())?;
    Ok(file)
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    whole(a) == whole(b)
}

/// Removes the file of a case that has been kept, and the trace and the reports beside it.
fn remove(path: &Path) -> Result<(), String> {
    std::fs::remove_file(path)
        .map_err(|error| format!("{}: the case is kept, but this file cannot be removed: {error}", path.display()))?;
    // Not every case has these beside it.
    let _ = std::fs::remove_file(crate::explore::trace_path(path));
    for extension in ["html", "pcapng"] {
        let _ = std::fs::remove_file(path.with_extension(extension));
    }
    Ok(())
}
