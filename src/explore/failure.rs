//! Investigates a run that failed: runs it again with the full trace, compares the runs, and saves the case.

use std::path::{Path, PathBuf};

use super::divergence::Divergence;
use super::doctor::{Diagnosis, diagnose};
use super::error::Error;
use super::explain::{Why, explain};
use super::job::{CaseRef, JobKind};
use super::options::ExploreOptions;
use super::pool::Pool;
use super::promise::Promise;
use super::run_result::{RunResult, Termination};
use super::shrink::{Bounds, ShrinkProgress, Shrunk, shrink};
use super::status::Status;
use super::trace_file::{self, event_lines};
use crate::case_file::{self, CaseFile, CaseFileError};
use crate::fault::Plan;
use crate::run::{Outcome, Recording};
use crate::scenario::{Case, Scenario};

/// Whether the same case gave the same run again.
#[derive(Debug)]
pub enum Repeat {
    /// The runs were equal.
    Same,
    /// Unknown: the recorded run exceeded its limits.
    NotKnown,
    /// The runs differed: where two recorded runs diverge, and what left the sandbox before.
    Different(Box<Diagnosis>),
}

/// A run that failed, or that was different when it was repeated.
#[derive(Debug)]
pub struct Failure {
    /// How the case was given.
    pub case_ref: CaseRef,
    /// The outcome of the first run.
    pub outcome: Outcome,
    /// The case.
    pub case: Case,
    /// The full trace and history; of a run that died, what was recorded up to its death.
    pub recording: Option<Box<Recording>>,
    /// What the run wrote to standard output and standard error.
    pub output: Vec<u8>,
    /// Whether the run was the same when it was repeated.
    pub repeat: Repeat,
    /// The file in which the case was saved. `None` if it passes, or if it was given as a case and so has a file
    /// already.
    pub saved: Result<Option<PathBuf>, CaseFileError>,
    /// The failure before it was shrunk, if it was; everything else then belongs to the smaller case.
    pub as_found: Option<Box<AsFound>>,
    /// A further remark on the failure.
    pub remark: Option<&'static str>,
    /// Why the run fails, if an explanation was asked for.
    pub why: Option<Why>,
    /// The same case without its faults, recorded, if an explanation was asked for and there are any.
    pub without_faults: Option<Box<Recording>>,
}

/// A failure as it was before it was shrunk.
#[derive(Debug)]
pub struct AsFound {
    /// The failure.
    pub failure: Failure,
    /// The result of shrinking it.
    pub shrunk: Shrunk,
}

impl Failure {
    /// The status of the run: a broken promise weighs more than a run that cannot be repeated.
    pub fn status(&self) -> Status {
        use crate::check::Verdict;
        match (&self.outcome.verdict, &self.repeat) {
            (Verdict::Fail(_), _) => Status::Fail,
            (_, Repeat::Different(_)) => Status::NotDeterministic,
            (Verdict::Unknown(_), _) => Status::Unknown,
            (Verdict::Pass, _) => Status::Pass,
        }
    }
}

/// What is already known about whether a run can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    RunOnce,
    Same,
    Different,
}

/// Runs a case, records it, repeats it, and saves it in `directory` (or cargo's target directory) if it does not pass.
///
/// # Errors
/// If the case cannot run at all.
pub fn investigate(
    pool: &Pool,
    scenario: usize,
    case_ref: &CaseRef,
    directory: Option<&Path>,
) -> Result<Failure, Error> {
    pool.scenarios()[scenario].validate()?;
    let first = pool.run(scenario, case_ref, JobKind::Outcome)?;
    investigate_result(pool, scenario, case_ref, first, Evidence::RunOnce, directory)
}

/// Runs a case and keeps everything, the bytes of all segments included; `None` if the run dies without a trace.
///
/// # Errors
/// If the case cannot run at all.
pub fn record_bytes(pool: &Pool, scenario: usize, case_ref: &CaseRef) -> Result<Option<Box<Recording>>, Error> {
    let recorded = pool.run(scenario, case_ref, JobKind::Wire)?;
    let case = match &recorded.recording {
        Some(recording) => recording.case.clone(),
        None => pool.draw(scenario, case_ref)?,
    };
    Ok(recorded.into_recording(&pool.scenarios()[scenario], &case))
}

pub(crate) fn investigate_result(
    pool: &Pool,
    scenario: usize,
    case_ref: &CaseRef,
    first: RunResult,
    evidence: Evidence,
    directory: Option<&Path>,
) -> Result<Failure, Error> {
    let recorded = pool.run(scenario, case_ref, JobKind::Recording)?;
    let is_same = evidence != Evidence::Different && is_recorded(&first, &recorded);
    let went_over = first.termination == Termination::Returned && recorded.termination == Termination::Hung;
    let repeat = if is_same && went_over && evidence != Evidence::Same {
        Repeat::NotKnown
    } else if is_same {
        Repeat::Same
    } else {
        let again = pool.run(scenario, case_ref, JobKind::Recording)?;
        let divergence = match (&recorded.recording, &again.recording) {
            (Some(left), Some(right)) => Divergence::between(left, right),
            _ => None,
        };
        Repeat::Different(Box::new(diagnose(pool, scenario, case_ref, divergence)))
    };
    let case = match &recorded.recording {
        Some(recording) => recording.case.clone(),
        None => pool.draw(scenario, case_ref)?,
    };
    let ends_alike = first.termination == recorded.termination;
    let recording = recorded.into_recording(&pool.scenarios()[scenario], &case).filter(|_| ends_alike);
    let mut outcome = first.outcome;
    if let (Some(recording), true) = (&recording, outcome.fault_effects.is_empty()) {
        outcome.fault_effects.clone_from(&recording.outcome.fault_effects);
    }
    let passes = is_same && outcome.verdict.is_pass();
    let saved = if passes || matches!(case_ref, CaseRef::Case(_)) {
        Ok(None)
    } else {
        let path = place(&case, directory, "");
        save(&pool.scenarios()[scenario], &case, &outcome, recording.as_deref(), &path).map(|()| Some(path))
    };
    let case_ref = case_ref.clone();
    Ok(Failure {
        case_ref,
        outcome,
        case,
        recording,
        output: first.output,
        repeat,
        saved,
        as_found: None,
        remark: None,
        why: None,
        without_faults: None,
    })
}

/// Saves a case and, beside it, the trace of its run.
///
/// # Errors
/// If a file cannot be written.
pub fn save(
    scenario: &Scenario,
    case: &Case,
    outcome: &Outcome,
    recording: Option<&Recording>,
    path: &Path,
) -> Result<(), CaseFileError> {
    let events = recording.map(event_lines).unwrap_or_default();
    let file = CaseFile::new(scenario, case.clone(), outcome.fingerprint, outcome.verdict.clone(), &events);
    trace_file::save(&file, &events, path)
}

fn place(case: &Case, directory: Option<&Path>, suffix: &str) -> PathBuf {
    let path = case_file::default_path(case);
    let name = format!("{}{suffix}.json", path.file_stem().unwrap_or_default().to_string_lossy());
    match directory {
        Some(directory) => directory.join(name),
        None => path.with_file_name(name),
    }
}

/// Shrinks a failure and explains it, within the time that the options give. Leaves it as it is if it is not a broken
/// promise or cannot be repeated.
///
/// # Errors
/// If runs cannot be carried out at all.
pub fn study(
    pool: &Pool,
    scenario: usize,
    failure: &mut Failure,
    options: &ExploreOptions,
    progress: &mut ShrinkProgress<'_>,
) -> Result<(), Error> {
    if !failure.outcome.verdict.is_fail() || matches!(failure.repeat, Repeat::Different(_)) {
        return Ok(());
    }
    let Some(promise) = Promise::of(&failure.outcome) else { return Ok(()) };
    let mut without = Vec::new();
    let bounds = Bounds { within: options.shrink_for, runs: options.shrink_runs };
    if !options.shrink_for.is_zero()
        && let Some(shrunk) = shrink(pool, scenario, &failure.case, &failure.outcome, bounds, progress)?
    {
        let smaller = investigate(pool, scenario, &CaseRef::Case(Box::new(shrunk.case.clone())), None)?;
        if !promise.is_broken_by(&smaller.outcome) {
            failure.remark = Some("a smaller case was found, but it did not fail with the full limits of a run");
        } else {
            without.clone_from(&shrunk.without);
            let was_given = matches!(failure.case_ref, CaseRef::Case(_));
            let directory = options.case_directory.as_deref();
            let path = place(&shrunk.case, directory, "-shrunk");
            let (scenario, recording) = (&pool.scenarios()[scenario], smaller.recording.as_deref());
            let saved = match was_given {
                true => Ok(None),
                false => save(scenario, &shrunk.case, &smaller.outcome, recording, &path).map(|()| Some(path)),
            };
            let case_ref = failure.case_ref.clone();
            let found = std::mem::replace(failure, Failure { case_ref, saved, ..smaller });
            failure.as_found = Some(Box::new(AsFound { failure: found, shrunk }));
        }
    }
    if !options.explain_for.is_zero() {
        failure.why = Some(explain(pool, scenario, &failure.case, &promise, &without, options.explain_for)?);
        failure.without_faults = recorded_without_faults(pool, scenario, &failure.case)?;
    }
    Ok(())
}

/// The recording of this case without its faults; `None` if it has none, or if that run does not end by itself.
fn recorded_without_faults(pool: &Pool, scenario: usize, case: &Case) -> Result<Option<Box<Recording>>, Error> {
    if case.plan.faults.is_empty() {
        return Ok(None);
    }
    let case = Case { plan: Plan::none(), ..case.clone() };
    let result = pool.run(scenario, &CaseRef::Case(Box::new(case.clone())), JobKind::Recording)?;
    if result.termination != Termination::Returned {
        return Ok(None);
    }
    Ok(result.into_recording(&pool.scenarios()[scenario], &case))
}

/// Whether the recorded run is the first one. Recording never changes a run, but a run near its limits may exceed them
/// when it is recorded.
fn is_recorded(first: &RunResult, recorded: &RunResult) -> bool {
    let went_over = first.termination == Termination::Returned && recorded.termination == Termination::Hung;
    went_over || first.is_same_run(recorded)
}
