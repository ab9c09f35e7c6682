//! `cargo sims keep` and `cargo sims rust`: what becomes of a failing case once it is understood.

use std::path::{Path, PathBuf};

use super::arguments::Keep;
use super::regressions::{directory_in, project, shortened};
use super::terminal::say;
use crate::case_file::{CaseFile, file_name, plain_name};
use crate::report::rust_test;
use crate::scenario::Scenario;

/// Moves a case to where the project keeps those that failed once.
pub(super) fn keep(scenarios: &[Scenario], arguments: &Keep) -> Result<u8, String> {
    let from = &arguments.file;
    let file = load(from, scenarios)?;
    let directory = match &arguments.to {
        Some(directory) => directory.clone(),
        None => {
            let project = project().ok_or("no directory upwards of here has a Cargo.toml and `sims/`: add --to DIR")?;
            directory_in(&project).join(plain_name(&file.case.scenario))
        }
    };
    let to = shortened(&directory.join(file_name(&file.case)));
    let (from_text, to_text) = (from.display(), to.display());
    if to.exists() {
        let known = CaseFile::load(&to).map_err(|error| error.to_string())?;
        if known.case != file.case {
            return Err(format!("{to_text} is another case and stays as it is: --to DIR keeps {from_text} elsewhere"));
        }
        if !is_same_file(from, &to) {
            remove(from)?;
        }
        say(&format!("{to_text} is this case: it was kept before\n"));
        return Ok(0);
    }
    file.without_recording().save(&to).map_err(|error| error.to_string())?;
    remove(from)?;
    say(&format!("moved {from_text} to {to_text}: from now on it is run first, and must pass\n"));
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

/// The case is kept by now; what recorded its run goes with the file that is removed.
fn remove(path: &Path) -> Result<(), String> {
    std::fs::remove_file(path)
        .map_err(|error| format!("{}: it is kept, but stays here, too: {error}", path.display()))?;
    // Not every case has a trace beside it.
    let _ = std::fs::remove_file(crate::explore::trace_path(path));
    Ok(())
}
