//! What the supervisor asks of a child, and what the child answers: both as JSON.

use serde::{Deserialize, Serialize};

use super::examination::Examination;
use crate::fault::Swarm;
use crate::run::{self, Outcome, Recording};
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

/// One run to be made.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) scenario: String,
    pub(super) case_ref: CaseRef,
    pub(super) kind: JobKind,
    /// Where to stop for a debugger, instead of an answer to what is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) break_on: Option<String>,
    /// What is said of all draws.
    #[serde(default, skip_serializing_if = "Swarm::is_open")]
    pub(super) swarm: Swarm,
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
