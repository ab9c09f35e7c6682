//! Runs the cases that failed once and are kept in the project: each must pass, so that a fixed mistake stays fixed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use libtest_mimic::{Failed, Trial};

use super::terminal::failure_screen;
use crate::case_file::{CaseFile, plain_name};
use crate::explore::{self, Pool, Status};
use crate::report::KeptCase;
use crate::scenario::{Case, Scenario};

/// A kept case.
pub(super) struct Kept {
    /// The path of its file, relative to the current directory if that is shorter.
    path: PathBuf,
    /// The name of its directory, which is its scenario's name if `keep` has put it there.
    directory: String,
    /// The index of its scenario and the case, or why it cannot be run.
    case: Result<(usize, Case), String>,
}

/// The project that this executable belongs to: the one that cargo names, or else the nearest directory, from the
/// current one upwards, that has a `Cargo.toml` and `sims/`.
pub(super) fn project() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("CARGO_MANIFEST_DIR").filter(|directory| !directory.is_empty()) {
        return Some(directory.into());
    }
    let here = std::env::current_dir().ok()?;
    let is_project = |directory: &&Path| directory.join("Cargo.toml").is_file() && directory.join("sims").is_dir();
    here.ancestors().find(is_project).map(Path::to_owned)
}

/// The directory in which a project keeps its cases.
pub(super) fn directory_in(project: &Path) -> PathBuf {
    shortened(&project.join("sims").join("regressions"))
}

/// The path relative to the current directory, if it is below it.
pub(super) fn shortened(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// All kept cases of this project, sorted by directory and name.
///
/// # Errors
/// If a directory cannot be read.
pub(super) fn kept(scenarios: &[Scenario]) -> Result<Vec<Kept>, String> {
    let Some(project) = project() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for directory in entries(&directory_in(&project))?.into_iter().filter(|path| path.is_dir()) {
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_case = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        for path in entries(&directory)?.into_iter().filter(is_case) {
            let case = load(&path, scenarios);
            all.push(Kept { path, directory: name.clone(), case });
        }
    }
    Ok(all)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error| format!("{}: {error}", directory.display());
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(wrong)?,
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    paths.sort();
    Ok(paths)
}

fn load(path: &Path, scenarios: &[Scenario]) -> Result<(usize, Case), String> {
    let file = CaseFile::load(path).map_err(|error| error.to_string())?;
    let index = file.scenario_in(path, scenarios).map_err(|error| error.to_string())?;
    Ok((index, file.case))
}

impl Kept {
    /// The name of its test: the scenario, and the file's name without its extension.
    fn test_name(&self, scenarios: &[Scenario]) -> String {
        let scenario = match &self.case {
            Ok((index, _)) => scenarios[*index].name(),
            Err(_) => &self.directory,
        };
        format!("{scenario}::regression::{}", self.path.file_stem().unwrap_or_default().to_string_lossy())
    }

    /// The command that replays it.
    fn replay_line(&self) -> String {
        format!("cargo sims replay {}", self.path.display())
    }
}

/// A test for each kept case.
pub(super) fn trials(pool: &Arc<Pool>, kept: Vec<Kept>) -> Vec<Trial> {
    let trial = |kept: Kept| {
        let pool = pool.clone();
        Trial::test(kept.test_name(pool.scenarios()), move || {
            let (index, case) = kept.case.as_ref().map_err(|defect| Failed::from(defect.as_str()))?;
            match explore::recheck(&pool, *index, case).map_err(|error| error.to_string())? {
                None => Ok(()),
                Some(failure) => Err(failure_screen(&failure, &kept.replay_line()).into()),
            }
        })
    };
    kept.into_iter().map(trial).collect()
}

/// What became of the kept cases.
#[derive(Default)]
pub(super) struct Rechecked {
    /// What to say of them.
    pub(super) text: String,
    /// Each of them.
    pub(super) cases: Vec<KeptCase>,
}

impl Rechecked {
    /// The worst status.
    pub(super) fn status(&self) -> Status {
        self.cases.iter().map(|kept| kept.status).max().unwrap_or(Status::Pass)
    }
}

/// Runs the kept cases of the chosen scenarios, which may be all.
///
/// # Errors
/// If one of them cannot be run.
pub(super) fn run(pool: &Pool, chosen: &[usize], is_everything: bool) -> Result<Rechecked, String> {
    let scenarios = pool.scenarios();
    let is_chosen = |kept: &Kept| match &kept.case {
        Ok((index, _)) => chosen.contains(index),
        // Only its directory says which scenario it belongs to.
        Err(_) => is_everything || chosen.iter().any(|index| plain_name(scenarios[*index].name()) == kept.directory),
    };
    let kept: Vec<Kept> = kept(scenarios)?.into_iter().filter(is_chosen).collect();
    let (mut text, mut failed, mut cases) = (String::new(), 0, Vec::new());
    let count = kept.len();
    let readable = kept.iter().map(|kept| Ok((kept, kept.case.as_ref()?))).collect::<Result<Vec<_>, &String>>();
    for (kept, (index, case)) in readable.map_err(Clone::clone)? {
        let began = Instant::now();
        let failure = explore::recheck(pool, *index, case).map_err(|error| error.to_string())?;
        let screen = failure.as_ref().map(|failure| failure_screen(failure, &kept.replay_line()));
        let status = failure.map_or(Status::Pass, |failure| failure.status());
        failed += usize::from(screen.is_some());
        text.push_str(screen.as_deref().unwrap_or_default());
        let (name, screen) = (kept.test_name(scenarios), screen.unwrap_or_default());
        cases.push(KeptCase { name, took: began.elapsed(), status, screen });
    }
    let noun = |count| if count == 1 { "kept case" } else { "kept cases" };
    text.push_str(&match (count, failed) {
        (0, _) => String::new(),
        (1, 0) => "regressions: 1 kept case passes\n".to_owned(),
        (count, 0) => format!("regressions: {count} kept cases pass\n"),
        (count, failed) => format!("regressions: {failed} of {count} {} did not pass\n", noun(count)),
    });
    Ok(Rechecked { text, cases })
}
