//! Runs a case in a process of its own, which a debugger can follow to where it stops.

use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use super::job::{self, CaseRef, Reply};
use super::serve::handler;
use crate::fault::Swarm;
use crate::sandbox::{End, EntryPoint, ProcessLimits, Worker};
use crate::scenario::Scenario;

/// How long somebody may look at a run that has stopped.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Runs a case in a process of its own, which stops at the first event that matches if a debugger is attached to it.
/// Returns what came of it, in one line.
///
/// # Errors
/// If it cannot be run at all.
pub fn break_on(
    scenarios: &Arc<[Scenario]>,
    scenario: usize,
    case_ref: &CaseRef,
    swarm: &Swarm,
    pattern: &str,
) -> Result<String, Error> {
    // Not by the pool: the run must be the first child of its parent, as a debugger follows the first.
    let mut worker = Worker::spawn(EntryPoint::Main, handler(scenarios.clone())).map_err(Error::Worker)?;
    // A run that has stopped uses no CPU time.
    let own = scenarios[scenario].run_limits();
    let limits = ProcessLimits { cpu: own.hang_after * 3, wall: LONGEST, memory_bytes: own.memory_bytes };
    // A case is drawn in another process than the one that runs it, as everywhere.
    let case = case_ref.case(&scenarios[scenario], swarm);
    let job = job::encode_break(scenarios[scenario].name(), &CaseRef::Case(Box::new(case)), pattern);
    let finished = worker.run(&job, &limits).map_err(Error::Worker)?;
    match finished.end {
        End::Returned(reply) => match serde_json::from_slice(&reply) {
            Ok(Reply::Stopped(said)) => Ok(said),
            Ok(other) => Err(Error::Refused(format!("unexpected answer: {other:?}"))),
            Err(error) => Err(Error::Refused(format!("unreadable answer: {error}"))),
        },
        _ => Ok("the run did not live to tell".to_owned()),
    }
}
