//! `cargo sims replay`: runs one case again and compares it with its recording.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::arguments::Replay;
use super::environment::processors;
use super::pages::report_line;
use super::terminal::{failure_screen, replay_line, say};
use crate::case_file::{self, CaseFile};
use crate::explore::{self, CaseRef, ExploreOptions, Failure, Pool, SeedRange, Status, TraceDivergence};
use crate::report::{TimelineOptions, timeline};
use crate::run::Outcome;
use crate::sandbox::EntryPoint;
use crate::scenario::Scenario;
use crate::trace::Fingerprint;

/// Replays a case and returns the exit code of its run.
pub(super) fn run(scenarios: Arc<[Scenario]>, arguments: &Replay) -> Result<u8, String> {
    let (index, mut case_ref, recorded) = case_ref(&scenarios, arguments)?;
    let engine = arguments.drawing.engine;
    if let (CaseRef::Case(case), Some(engine)) = (&mut case_ref, engine) {
        case.engine = engine;
    }
    let swarm = arguments.drawing.swarm(&[&scenarios[index]])?;
    if let Some(pattern) = &arguments.break_on {
        let result = explore::break_on(&scenarios, index, &case_ref, &swarm, engine, pattern)
            .map_err(|error| error.to_string())?;
        say(&format!("--break-on {pattern:?}: {result}\n"));
    }
    let pool = Pool::new(scenarios, processors(), EntryPoint::Main, arguments.hang_after).drawing(swarm).on(engine);
    let mut failure = explore::investigate(&pool, index, &case_ref, None).map_err(|error| error.to_string())?;
    if arguments.why {
        let options =
            ExploreOptions { shrink_for: Duration::ZERO, ..ExploreOptions::new(SeedRange::only(case_ref.seed())) };
        explore::study(&pool, index, &mut failure, &options, &mut |_, _| ()).map_err(|error| error.to_string())?;
    }
    if let Some(recorded) = &recorded {
        say(&compare(recorded, Path::new(&arguments.what), &pool.scenarios()[index], &failure));
    }
    let shows_timeline = arguments.trace || arguments.until.is_some();
    if let (true, Some(recording)) = (shows_timeline, &failure.recording) {
        say(&timeline(recording, &TimelineOptions { until: arguments.until, ..TimelineOptions::default() }));
    }
    match failure.status() {
        Status::Pass => {
            let Outcome { scenario, seed, fingerprint, .. } = &failure.outcome;
            say(&format!("{scenario}, seed {seed}: passes (fingerprint {fingerprint})\n"));
        }
        _ => {
            let line = match &recorded {
                Some(_) => format!("cargo sims replay {}{}", arguments.what, arguments.drawing.flags()),
                None => replay_line(&failure, &arguments.drawing.flags()),
            };
            say(&failure_screen(&failure, &line));
            say(&report_line(&failure, &pool.scenarios()[index], &line));
        }
    }
    if arguments.doctor && matches!(failure.repeat, explore::Repeat::Same) {
        say(&format!("doctor: {}\n", explore::diagnose(&pool, index, &case_ref, None).of_equal_runs()));
    }
    Ok(failure.status().exit_code())
}

fn case_ref(scenarios: &[Scenario], arguments: &Replay) -> Result<(usize, CaseRef, Option<CaseFile>), String> {
    let is_file = arguments.what.ends_with(".json") || arguments.what.contains('/');
    match (arguments.seed, is_file) {
        (None, true) if !arguments.drawing.is_default() => {
            Err("a case file has its own faults: leave --faults and --intensity out".to_owned())
        }
        (Some(_), true) => Err("a case file has its own seed: leave --seed out".to_owned()),
        (Some(seed), false) => Ok((case_file::find(scenarios, &arguments.what)?, CaseRef::Seed(seed), None)),
        (None, false) => {
            case_file::find(scenarios, &arguments.what)?;
            Err(format!("which seed of `{}`? Add --seed, or name a case file", arguments.what))
        }
        (None, true) => {
            let path = Path::new(&arguments.what);
            let file = CaseFile::load(path).map_err(|error| error.to_string())?;
            let index = file.scenario_in(path, scenarios).map_err(|error| error.to_string())?;
            Ok((index, CaseRef::Case(Box::new(file.case.clone())), Some(file)))
        }
    }
}

/// Reports whether the replay is the run that was recorded. If not, reports where the two diverge and what else has
/// changed.
pub(super) fn compare(recorded: &CaseFile, path: &Path, scenario: &Scenario, failure: &Failure) -> String {
    let outcome = &failure.outcome;
    let build = if recorded.build == case_file::build_id() {
        "by the same executable"
    } else {
        "by another executable: the code may have changed, or it was built for another command or profile"
    };
    let (was, verdict) = (recorded.verdict.word(), outcome.verdict.word());
    let (then, now) = (recorded.fingerprint, outcome.fingerprint);
    // A run that dies has no fingerprint: only its end is known.
    let has_died = |fingerprint: Fingerprint| fingerprint == Fingerprint::default();
    let is_same = then == now && (!has_died(now) || recorded.verdict.why() == outcome.verdict.why());
    let mut text = match (has_died(then) || has_died(now), is_same) {
        (false, _) => {
            let word = if is_same { "the same run" } else { "a different run" };
            format!("{word}: recorded {then} ({was}) {build}; now {now} ({verdict})\n")
        }
        (true, true) => format!("the same end: recorded {build}; {}\n", outcome.verdict),
        (true, false) => format!("a different end: recorded {build}: {}; now {}\n", recorded.verdict, outcome.verdict),
    };
    if recorded.version != env!("CARGO_PKG_VERSION") {
        let (theirs, ours) = (&recorded.version, env!("CARGO_PKG_VERSION"));
        text.push_str(&format!("the version of Squall has changed: recorded by {theirs}, now {ours}\n"));
    }
    if recorded.definition != scenario.definition() {
        let (then, now) = (recorded.definition, scenario.definition());
        let what = "its hosts, clients, generators, checks, times or limits";
        text.push_str(&format!("the scenario's definition has changed: {what} (digest {then}, now {now})\n"));
    }
    if let (false, Some(recording)) = (is_same, &failure.recording) {
        text.push_str(&format!("{}\n", TraceDivergence::of(recorded, path, recording)));
    }
    text
}
