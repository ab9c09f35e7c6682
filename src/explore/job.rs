//! What the supervisor asks of a child, and what the child answers: both as JSON.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::breakpoint;
use super::doctor::Examination;
use crate::fault::Swarm;
use crate::run::{self, Detail, Outcome, Recording};
use crate::sandbox::Handler;
use crate::scenario::{Case, Scenario};
use crate::seed::Seed;

/// Which case to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseRef {
    /// The one that this seed draws.
    Seed(Seed),
    /// The one that this seed draws, without its faults.
    Control(Seed),
    /// This very one.
    Case(Box<Case>),
}

impl CaseRef {
    /// Its seed.
    pub fn seed(&self) -> Seed {
        match self {
            CaseRef::Seed(seed) | CaseRef::Control(seed) => *seed,
            CaseRef::Case(case) => case.seed,
        }
    }

    pub(super) fn case(&self, scenario: &Scenario, swarm: &Swarm) -> Case {
        match self {
            CaseRef::Seed(seed) => run::draw(scenario, *seed, swarm),
            CaseRef::Control(seed) => scenario.control(*seed),
            CaseRef::Case(case) => (**case).clone(),
        }
    }
}

/// What to send back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum JobKind {
    /// The outcome of a run.
    // The names are equally long, so that the job is, too, and the run finds its memory the same in both.
    #[serde(rename = "lean")]
    Outcome,
    /// The outcome of a run, with all that happened.
    #[serde(rename = "rich")]
    Recording,
    /// The case, without running it.
    #[serde(rename = "case")]
    Case,
    /// What leaves the sandbox in a run that is watched more closely.
    #[serde(rename = "scan")]
    Examination,
}

#[derive(Serialize, Deserialize)]
struct Request {
    scenario: String,
    case_ref: CaseRef,
    kind: JobKind,
    /// Where to stop for a debugger, instead of an answer to what is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    break_on: Option<String>,
    /// What is said of all draws.
    #[serde(default, skip_serializing_if = "Swarm::is_open")]
    swarm: Swarm,
}

/// What a child answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    Outcome(Box<Outcome>),
    Recording(Box<Recording>),
    Case(Box<Case>),
    Examination(Box<Examination>),
    /// What came of a run that was to stop for a debugger.
    Stopped(String),
    /// A generator of the user's own drew a fault that cannot be carried out.
    Misdrawn(String),
    /// The job makes no sense to this child.
    Refused(String),
}

/// A job as bytes.
pub(crate) fn encode(scenario: &str, case_ref: &CaseRef, kind: JobKind, swarm: &Swarm) -> Vec<u8> {
    let (scenario, case_ref, swarm) = (scenario.to_owned(), case_ref.clone(), swarm.clone());
    encode_request(&Request { scenario, case_ref, kind, break_on: None, swarm })
}

/// A job that stops for a debugger, as bytes.
pub(super) fn encode_break(scenario: &str, case_ref: &CaseRef, pattern: &str) -> Vec<u8> {
    let (scenario, break_on) = (scenario.to_owned(), Some(pattern.to_owned()));
    encode_request(&Request {
        scenario,
        case_ref: case_ref.clone(),
        kind: JobKind::Recording,
        break_on,
        swarm: Swarm::default(),
    })
}

fn encode_request(job: &Request) -> Vec<u8> {
    serde_json::to_vec(job).expect("a job holds nothing that JSON cannot")
}

/// The half that runs in the child.
pub(crate) fn handler(scenarios: Arc<[Scenario]>) -> Handler {
    Arc::new(move |job| {
        let reply = serve(&scenarios, job);
        serde_json::to_vec(&reply).unwrap_or_else(|error| {
            // A workload's input may hold what JSON cannot, for example a map with keys that are not text.
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
            "the process that runs does not know the scenario `{}`: is its table the same at every start, and is \
             `assert_passes` called once in a test?",
            job.scenario
        ));
    };
    let case = job.case_ref.case(scenario, &job.swarm);
    if let (CaseRef::Seed(_), Some(defect)) = (&job.case_ref, scenario.defect_of_own_generators(&case.plan)) {
        return Reply::Misdrawn(defect);
    }
    if let Some(pattern) = &job.break_on {
        return Reply::Stopped(breakpoint::run_until(scenario, &case, pattern));
    }
    match job.kind {
        JobKind::Case => Reply::Case(Box::new(case)),
        JobKind::Outcome => Reply::Outcome(Box::new(run::run_valid(scenario, &case, Detail::Lean).outcome)),
        JobKind::Examination => {
            let run = || run::run_valid(scenario, &case, Detail::Rich).outcome.fingerprint;
            Reply::Examination(Box::new(Examination::of(run)))
        }
        JobKind::Recording => {
            Reply::Recording(Box::new(run::run_valid(scenario, &case, Detail::Rich).into_recording(case)))
        }
    }
}
