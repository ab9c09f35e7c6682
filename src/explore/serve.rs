//! Carries out the supervisor's jobs in the child.

use std::sync::Arc;

use super::breakpoint;
use super::examination::Examination;
use super::job::{CaseRef, JobKind, Reply, Request};
use super::latencies::Latencies;
use crate::run::{self, Detail};
use crate::sandbox::Handler;
use crate::scenario::Scenario;

/// The handler of jobs that a child runs.
pub(crate) fn handler(scenarios: Arc<[Scenario]>) -> Handler {
    Arc::new(move |job| {
        let reply = serve(&scenarios, job);
        serde_json::to_vec(&reply).unwrap_or_else(|error| {
            // A workload's input may hold a value that JSON cannot express, such as a map with keys that are not text.
            let refused = Reply::Refused(format!("the run cannot be written as JSON: {error}"));
            serde_json::to_vec(&refused).unwrap_or_default()
        })
    })
}

fn serve(scenarios: &[Scenario], job: &[u8]) -> Reply {
    let job: Request = match serde_json::from_slice(job) {
        Ok(job) => job,
        Err(error) => return Reply::Refused(format!("the job cannot be read: {error}")),
    };
    let Some(scenario) = scenarios.iter().find(|scenario| scenario.name() == job.scenario) else {
        return Reply::Refused(format!(
            "it does not know the scenario `{}`: build the same table at every start of the executable, and call \
             `assert_passes` only once in a test",
            job.scenario
        ));
    };
    let case = job.case_ref.case(scenario, &job.swarm, job.engine);
    if let (CaseRef::Seed(_), Some(defect)) = (&job.case_ref, scenario.defect_of_own_generators(&case.plan)) {
        return Reply::Misdrawn(defect);
    }
    if let Some(defect) = scenario.defect_on(case.engine) {
        return Reply::Refused(defect);
    }
    if let Some(pattern) = &job.break_on {
        return Reply::Stopped(breakpoint::run_until(scenario, &case, pattern));
    }
    match job.kind {
        JobKind::Case => Reply::Case(Box::new(case)),
        JobKind::Outcome => Reply::Outcome(Box::new(run::run_valid(scenario, &case, Detail::Lean).outcome)),
        JobKind::Timed => {
            let run = run::run_valid(scenario, &case, Detail::Lean);
            let latencies = Latencies::of(&run);
            Reply::Timed(Box::new((run.outcome, latencies)))
        }
        JobKind::Examination => {
            let run = || run::run_valid(scenario, &case, Detail::Rich).outcome.fingerprint;
            Reply::Examination(Box::new(Examination::of(run)))
        }
        JobKind::Recording | JobKind::Wire => {
            let detail = if job.kind == JobKind::Wire { Detail::Bytes } else { Detail::Rich };
            Reply::Recording(Box::new(run::run_valid(scenario, &case, detail).into_recording(case)))
        }
    }
}
