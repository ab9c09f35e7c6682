//! The result of a run, however it ended: a run that dies has an outcome as well.

use std::time::Duration;

use super::error::Error;
use super::job::{CaseRef, Reply};
use super::latencies::Latencies;
use crate::check::{Finding, Verdict};
use crate::fault::{Fault, Plan, Selector, Target, duration_text};
use crate::history::History;
use crate::run::{GeneratorCounts, Outcome, Recording, stopped};
use crate::sandbox::{End, Finished, ProcessLimits};
use crate::scenario::{Case, Scenario};
use crate::trace::exchange::Observed;
use crate::trace::{self, Counters, Event, Fingerprint, Kept, Record};

/// How a run's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Termination {
    /// With an outcome.
    Returned,
    /// By a signal, an exit or a lack of memory.
    Crashed,
    /// By a limit of time; where the run was then depends on the machine.
    Hung,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct RunResult {
    pub(crate) outcome: Outcome,
    /// The full trace and history, if the job asked for them and the run returned.
    pub(crate) recording: Option<Box<Recording>>,
    /// How long operations and exchanges took, if the job asked for it and the run returned.
    pub(crate) latencies: Option<Latencies>,
    pub(crate) termination: Termination,
    /// What a recorded run had captured up to its death, if it died.
    ledger: Vec<u8>,
    /// The CPU time that the run took.
    pub(crate) cpu: Duration,
    /// What the run wrote to standard output and standard error.
    pub(crate) output: Vec<u8>,
}

impl RunResult {
    pub(crate) fn new(
        scenario: &Scenario,
        case_ref: &CaseRef,
        limits: &ProcessLimits,
        finished: Finished,
    ) -> Result<RunResult, Error> {
        let End::Returned(reply) = &finished.end else {
            return Ok(RunResult::of_lost_run(scenario, case_ref, limits, finished));
        };
        let reply = serde_json::from_slice(reply).map_err(|error| Error::Refused(format!("unreadable: {error}")))?;
        let (outcome, recording, latencies) = match reply {
            Reply::Outcome(outcome) => (*outcome, None, None),
            Reply::Timed(timed) => (timed.0, None, Some(timed.1)),
            Reply::Recording(recording) => (recording.outcome.clone(), Some(recording), None),
            Reply::Case(_) | Reply::Examination(_) | Reply::Stopped(_) => {
                return Err(Error::Refused("it sent another reply instead of an outcome".to_owned()));
            }
            Reply::Misdrawn(why) => return Err(Error::Drawn(why)),
            Reply::Refused(why) => return Err(Error::Refused(why)),
        };
        let Finished { output, cpu, .. } = finished;
        let (termination, ledger) = (Termination::Returned, Vec::new());
        Ok(RunResult { outcome, recording, latencies, termination, ledger, cpu, output })
    }

    fn of_lost_run(scenario: &Scenario, case_ref: &CaseRef, limits: &ProcessLimits, finished: Finished) -> RunResult {
        let (termination, text) = describe(scenario, limits, &finished);
        let verdict = Verdict::fail(text);
        let mut findings = vec![Finding { check: "process".to_owned(), verdict: verdict.clone() }];
        findings.extend(finished.panics.iter().map(stopped));
        let effects = scenario.generator_names();
        let outcome = Outcome {
            scenario: scenario.name().to_owned(),
            seed: case_ref.seed(),
            verdict,
            findings,
            fingerprint: Fingerprint::default(),
            counters: Counters::default(),
            simulated: finished.at,
            generators: effects
                .map(|generator| GeneratorCounts { generator: generator.to_owned(), ..GeneratorCounts::default() })
                .collect(),
            fault_effects: Vec::new(),
            reached: Vec::new(),
            judged: Vec::new(),
            escapes: Vec::new(),
            panics: finished.panics.clone(),
        };
        let Finished { ledger, cpu, output, .. } = finished;
        RunResult { outcome, recording: None, latencies: None, termination, ledger, cpu, output }
    }

    /// The recording of the run; of a run that died, what it had captured up to its death.
    pub(crate) fn into_recording(self, scenario: &Scenario, case: &Case) -> Option<Box<Recording>> {
        if self.termination == Termination::Returned || self.ledger.is_empty() {
            return self.recording;
        }
        let Kept { records, notes, packets } = trace::read_captured(&self.ledger);
        let mut outcome = self.outcome;
        let hosts: Vec<String> = scenario.topology().hosts.into_iter().map(|host| host.name).collect();
        outcome.fault_effects = effects(&records, &case.plan, &hosts);
        Some(Box::new(Recording {
            outcome,
            case: case.clone(),
            hosts,
            step: scenario.step_of_run(),
            run_for: scenario.run_for,
            history: History::from_notes(&notes),
            observed: Observed::default(),
            records,
            packets,
            orders: Vec::new(),
        }))
    }

    /// Whether both are the same run, as far as that can be known.
    pub(crate) fn is_same_run(&self, other: &RunResult) -> bool {
        let both_hung = self.termination == Termination::Hung && other.termination == Termination::Hung;
        let (this, that) = (&self.outcome, &other.outcome);
        both_hung
            || (self.termination == other.termination
                && this.fingerprint == that.fingerprint
                && this.verdict == that.verdict)
    }
}

/// The number of effects of each fault that records show: the segments and hosts that it affected, and the deaths of
/// hosts that directly follow its beginning.
fn effects(records: &[Record], plan: &Plan, hosts: &[String]) -> Vec<u64> {
    let mut effects = vec![0; plan.faults.len()];
    let mut begun = None;
    for record in records {
        let targets_host = |fault: &Fault| {
            let name = record.host.and_then(|host| hosts.get(host.index()));
            match &fault.target {
                Target::Hosts(Selector::Names(names)) => name.is_some_and(|name| names.contains(name)),
                Target::Hosts(_) => true,
                Target::Links { .. } | Target::OneWay { .. } => false,
            }
        };
        let effective = match record.event {
            Event::FaultBegan { fault } => {
                begun = Some(fault);
                continue;
            }
            Event::Killed | Event::PoweredOff | Event::Stopping => {
                begun.filter(|fault| plan.faults.get(*fault as usize).is_some_and(targets_host))
            }
            // The last event of a segment that was lost before only says when it arrives.
            Event::SegmentAffected { lost: 0, extra: Duration::ZERO, late: Some(_), .. } => continue,
            Event::SegmentAffected { fault, .. } => fault,
            Event::HostAffected { fault } => Some(fault),
            // A kernel sends segments for a killed process, so these may be recorded between the deaths of two hosts.
            Event::Sent { .. } | Event::Started => continue,
            _ => {
                begun = None;
                continue;
            }
        };
        if let Some(effects) = effective.and_then(|fault| effects.get_mut(fault as usize)) {
            *effects += 1;
        }
    }
    effects
}

fn describe(scenario: &Scenario, limits: &ProcessLimits, finished: &Finished) -> (Termination, String) {
    let hosts = scenario.topology().hosts;
    let host = finished.host.and_then(|host| hosts.get(host));
    let place = match host {
        Some(host) => format!(" on host {} at {}", host.name, duration_text(finished.at)),
        None => format!(" outside any host at {}", duration_text(finished.at)),
    };
    match &finished.end {
        End::Aborted { signal: 6 } => (Termination::Crashed, format!("the program aborted (signal 6){place}")),
        End::Aborted { signal } => (Termination::Crashed, format!("the program was ended by signal {signal}{place}")),
        End::StackOverflow => (Termination::Crashed, format!("the program overflowed its stack{place}")),
        End::MemoryLimit => {
            let mebibytes = limits.memory_bytes >> 20;
            (Termination::Crashed, format!("the run needed more than its limit of {mebibytes} MiB of memory{place}"))
        }
        End::Exited { code } => {
            (Termination::Crashed, format!("the program ended the whole process with exit code {code}{place}"))
        }
        End::ClockSpin => {
            let text = format!("hang: the program waits in a loop for time to pass, but its clock stands still{place}");
            (Termination::Hung, text)
        }
        End::CpuLimit => {
            let (cpu, end) = (duration_text(limits.cpu), duration_text(scenario.duration()));
            let text =
                format!("slow: the run used up its {cpu} of CPU time before its end at {end}; it was last seen{place}");
            (Termination::Hung, text)
        }
        End::Stuck => {
            let cpu = duration_text(limits.stuck);
            (
                Termination::Hung,
                format!("hang: virtual time stood still for {cpu} of CPU time; it was last seen{place}"),
            )
        }
        End::Blocked => {
            (Termination::Hung, format!("hang: the program blocks its thread on something that never happens{place}"))
        }
        End::Panicked => {
            let text = format!("a check, a strategy or the harness itself panicked{place}");
            (Termination::Crashed, text)
        }
        End::Returned(_) => (Termination::Returned, String::new()),
    }
}
