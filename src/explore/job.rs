//! The jobs that the supervisor sends to a child and the child's replies, both as JSON.

use serde::{Deserialize, Serialize};

use super::examination::Examination;
use super::latencies::Latencies;
use crate::fault::Swarm;
use crate::run::{self, Outcome, Recording};
use crate::scenario::{Case, Scenario};
use crate::seed::Seed;
use crate::world::Engine;

/// Which case to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseRef {
    /// The case that this seed draws.
    Seed(Seed),
    /// The case that this seed draws, without its faults.
    Control(Seed),
    /// This case.
    Case(Box<Case>),
}

impl CaseRef {
    /// The seed of the case.
    pub fn seed(&self) -> Seed {
        match self {
            CaseRef::Seed(seed) | CaseRef::Control(seed) => *seed,
            CaseRef::Case(case) => case.seed,
        }
    }

    /// The case; one that is drawn here is for this engine, or else for the scenario's.
    pub(super) fn case(&self, scenario: &Scenario, swarm: &Swarm, engine: Option<Engine>) -> Case {
        let on_engine = || engine.map_or_else(|| scenario.clone(), |engine| scenario.clone().engine(engine));
        match self {
            CaseRef::Seed(seed) => run::draw(&on_engine(), *seed, swarm),
            CaseRef::Control(seed) => on_engine().control(*seed),
            CaseRef::Case(case) => (**case).clone(),
        }
    }
}

/// What the child sends back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum JobKind {
    /// The outcome of a run.
    // All names have the same length, so all jobs of a case do, and its runs find the same memory.
    #[serde(rename = "lean")]
    Outcome,
    /// The same, and how long operations and exchanges took.
    #[serde(rename = "time")]
    Timed,
    /// The outcome and the full trace of a run.
    #[serde(rename = "rich")]
    Recording,
    /// The same, with the bytes of all segments.
    #[serde(rename = "wire")]
    Wire,
    /// The case, without running it.
    #[serde(rename = "case")]
    Case,
    /// What leaves the sandbox in a run whose system calls are watched.
    #[serde(rename = "scan")]
    Examination,
}

/// A job for a child.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) scenario: String,
    pub(super) case_ref: CaseRef,
    pub(super) kind: JobKind,
    /// The event at which to stop for a debugger, if the job is to do that instead of what `kind` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) break_on: Option<String>,
    /// The restrictions on the draw of the case.
    #[serde(default, skip_serializing_if = "Swarm::is_open")]
    pub(super) swarm: Swarm,
    /// What is to run the hosts of the case, if not what the scenario says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) engine: Option<Engine>,
}

/// The reply of a child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    Outcome(Box<Outcome>),
    Timed(Box<(Outcome, Latencies)>),
    Recording(Box<Recording>),
    Case(Box<Case>),
    Examination(Box<Examination>),
    /// Where a run stopped for a debugger, in one line.
    Stopped(String),
    /// A user's own generator drew a fault that cannot be carried out.
    Misdrawn(String),
    /// The child cannot do the job.
    Refused(String),
}

/// A job as bytes.
pub(crate) fn encode(
    scenario: &str,
    case_ref: &CaseRef,
    kind: JobKind,
    swarm: &Swarm,
    engine: Option<Engine>,
) -> Vec<u8> {
    let (scenario, case_ref, swarm) = (scenario.to_owned(), case_ref.clone(), swarm.clone());
    encode_request(&Request { scenario, case_ref, kind, break_on: None, swarm, engine })
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
        engine: None,
    })
}

fn encode_request(job: &Request) -> Vec<u8> {
    serde_json::to_vec(job).expect("a job holds nothing that JSON cannot")
}
