//! Runs a case in a separate process, which a debugger can follow to the event at which it stops.

use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use super::job::{self, CaseRef, Reply};
use super::serve::handler;
use crate::fault::Swarm;
use crate::sandbox::{End, EntryPoint, ProcessLimits, Worker};
use crate::scenario::{Engine, Scenario};

/// The wall-clock limit of a run that has stopped in a debugger.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Runs a case in a separate process, which stops at the first event that matches if a debugger is attached to it.
/// Returns one line that says where it stopped.
///
/// # Errors
/// If the case cannot run at all.
pub fn break_on(
    scenarios: &Arc<[Scenario]>,
    scenario: usize,
    case_ref: &CaseRef,
    swarm: &Swarm,
    engine: Option<Engine>,
    pattern: &str,
) -> Result<String, Error> {
    // The pool is not used: a debugger follows the first child, so the run must be the first child of its parent.
    let mut worker = Worker::spawn(EntryPoint::Main, handler(scenarios.clone())).map_err(Error::Worker)?;
    // A run that has stopped uses no CPU time.
    let own = scenarios[scenario].run_limits();
    let limits =
        ProcessLimits { cpu: LONGEST, stuck: own.hang_after * 3, wall: LONGEST, memory_bytes: own.memory_bytes };
    // A case is always drawn in another process than the one that runs it.
    let engine = engine.or(Engine::of_environment().unwrap_or_default());
    let case = case_ref.case(&scenarios[scenario], swarm, engine);
    let job = job::encode_break(scenarios[scenario].name(), &CaseRef::Case(Box::new(case)), pattern);
    let finished = worker.run(&job, &limits).map_err(Error::Worker)?;
    match finished.end {
        End::Returned(reply) => match serde_json::from_slice(&reply) {
            Ok(Reply::Stopped(report)) => Ok(report),
            Ok(other) => Err(Error::Refused(format!("unexpected answer: {other:?}"))),
            Err(error) => Err(Error::Refused(format!("unreadable answer: {error}"))),
        },
        _ => Ok("the run ended without an outcome".to_owned()),
    }
}
