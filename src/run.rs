//! Runs one case of one scenario and judges the run.

use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check::{Check, CountedVerdict, Finding, OrderReport, Verdict};
use crate::fault::{Swarm, Topology, Trigger};
use crate::history::History;
use crate::sandbox::{Escape, PanicNote, last_panic};
use crate::scenario::{Case, Engine, Scenario};
use crate::seed::Seed;
use crate::trace::exchange::Observed;
use crate::trace::{Counters, Event, Fingerprint, HostId, PacketRecord, Record, Trace};
use crate::world::{RunArtifacts, WorldSpec, simulate};

/// How many faults of one generator were planned, and how many of those were effective.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorCounts {
    /// The generator's name.
    pub generator: String,
    /// The number of its faults in the plan.
    pub planned: u64,
    /// The number of those that changed something.
    pub effective: u64,
}

/// Verdict, fingerprint and counters of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: Seed,
    /// The worst verdict of all findings.
    pub verdict: Verdict,
    /// One finding for each check that did not pass, each program that failed and each panic.
    pub findings: Vec<Finding>,
    /// The digest of the whole run.
    pub fingerprint: Fingerprint,
    /// Counts of what happened in the run.
    pub counters: Counters,
    /// The simulated time of the run.
    pub simulated: Duration,
    /// Planned and effective faults by generator, in the scenario's order.
    pub generators: Vec<GeneratorCounts>,
    /// The number of effects of each fault of the plan.
    pub fault_effects: Vec<u64>,
    /// Whether each situation was reached, in the scenario's order; empty if the run was ended before it returned an
    /// outcome.
    pub reached: Vec<bool>,
    /// How many things each check judged, in the scenario's order; empty if the
    /// run was ended before it returned an outcome.
    pub judged: Vec<u64>,
    /// Escapes from the sandbox, without those that the scenario allows.
    pub escapes: Vec<Escape>,
    /// Panics in any task.
    pub panics: Vec<PanicNote>,
}

/// A run with its outcome, trace and history.
#[derive(Debug)]
pub struct Run {
    /// The outcome.
    pub outcome: Outcome,
    /// What the world did.
    pub trace: Trace,
    /// What the clients saw.
    pub history: History,
    /// What reports show of histories that no order explains; empty unless the run is recorded.
    pub(crate) orders: Vec<OrderReport>,
}

impl Run {
    /// The run as plain data, together with its case.
    pub fn into_recording(self, case: Case) -> Recording {
        let Run { outcome, mut trace, history, orders } = self;
        let (observed, packets) = (trace.observed().clone(), trace.take_packets());
        Recording {
            outcome,
            case,
            hosts: trace.hosts,
            step: trace.step,
            run_for: trace.run_for,
            records: trace.records,
            history,
            observed,
            packets,
            orders,
        }
    }
}

/// A recorded run as plain data, from which reports are made. It can be sent from one process to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The outcome.
    pub outcome: Outcome,
    /// The case that was run.
    pub case: Case,
    /// The names of the hosts, by [`HostId`].
    pub hosts: Vec<String>,
    /// The length of a simulation step.
    pub step: Duration,
    /// When the faults were over and recovery began.
    pub run_for: Duration,
    /// What the world did, in the order in which it was recorded; a segment's fate is recorded after its step.
    pub records: Vec<Record>,
    /// What the clients saw.
    pub history: History,
    /// What was read off the wire; nothing of a run that died.
    #[serde(default)]
    pub observed: Observed,
    /// What happened to each segment, in the order in which it was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packets: Vec<PacketRecord>,
    /// What is known about histories that no order explains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) orders: Vec<OrderReport>,
}

/// Whether a run keeps low-level events and texts, for a report. This never changes its fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// Only what checks read.
    Lean,
    /// Everything but the bytes of segments.
    Rich,
    /// Everything.
    Bytes,
}

/// Runs a case in this thread and judges it.
///
/// Two runs of a case are identical only in processes that started alike (see the sandbox in `ARCHITECTURE.md`).
///
/// # Panics
/// If the scenario is invalid (see [`Scenario::validate`]), or if the plan of the case does not fit it. A scenario
/// without checks is accepted here, because the caller can judge the returned run.
pub fn run(scenario: &Scenario, case: &Case, detail: Detail) -> Run {
    if let Err(error) = scenario.validate_except_checks() {
        panic!("{error}");
    }
    if let Some(defect) = scenario.defect_of_own_generators(&case.plan) {
        panic!("{defect}");
    }
    if let Some(defect) = scenario.defect_of_plan(&case.plan) {
        panic!("scenario `{}` cannot run this case: {defect}", scenario.name());
    }
    match Engine::of_environment() {
        Ok(Some(engine)) => run_valid(scenario, &Case { engine, ..case.clone() }, detail),
        _ => run_valid(scenario, case, detail),
    }
}

/// Runs a case that fits a valid scenario.
pub(crate) fn run_valid(scenario: &Scenario, case: &Case, detail: Detail) -> Run {
    judge(scenario, case, simulate_case(scenario, case, detail, &[]), detail)
}

/// Draws the case of a seed, with the generators and intensities that `swarm` selects. If one of these generators waits
/// for trigger points, a run without faults counts those first.
pub fn draw(scenario: &Scenario, seed: Seed, swarm: &Swarm) -> Case {
    let trigger_points = scenario.trigger_points_for(seed, swarm);
    if trigger_points.is_empty() {
        return scenario.case_on(&scenario.topology(), seed, swarm);
    }
    let artifacts = simulate_case(scenario, &scenario.control(seed), Detail::Lean, &trigger_points);
    let seen = trigger_points.into_iter().zip(artifacts.trigger_counts).collect();
    scenario.case_on(&Topology { seen, ..scenario.topology() }, seed, swarm)
}

fn simulate_case(scenario: &Scenario, case: &Case, detail: Detail, trigger_counts: &[Trigger]) -> RunArtifacts {
    let topology = scenario.topology();
    let hosts = scenario.hosts_for(&case.input);
    simulate(&WorldSpec {
        engine: case.engine,
        seeded_order: case.seeded_order,
        seed: case.seed,
        hosts: &hosts,
        plan: &case.plan,
        topology: &topology,
        latency: scenario.latency.clone(),
        latencies: scenario.link_latencies(),
        aliases: scenario.aliases_of_hosts(),
        step: scenario.step_of_run(),
        run_for: scenario.run_for,
        settle_for: scenario.settle_for,
        rich: detail != Detail::Lean,
        keeps_bytes: detail == Detail::Bytes,
        observes: scenario.observes_exchanges(),
        kept_headers: scenario.kept_headers.clone(),
        has_plain_sockets: scenario.has_plain_sockets,
        allowed_escapes: &scenario.allowed_escapes,
        trigger_counts,
    })
}

fn judge(scenario: &Scenario, case: &Case, artifacts: RunArtifacts, detail: Detail) -> Run {
    let RunArtifacts { trace, history, effects, failures, unrecorded, notes, trigger_counts: _ } = artifacts;
    let mut findings: Vec<Finding> = failures.iter().map(|(host, error)| failure(&trace, *host, error)).collect();
    // The failure of a program whose main task panicked is reported already, but only the panic says where.
    let stops = notes.panics.iter().filter(|panic| panic.location.is_empty() || !scenario.allows_panics);
    findings.extend(stops.map(|panic| stopped(&with_advice(panic, case.engine))));
    findings.extend(
        unrecorded.into_iter().map(|why| Finding { check: "recorder".to_owned(), verdict: Verdict::fail(why) }),
    );
    let (mut judged, mut orders) = (Vec::with_capacity(scenario.checks.len()), Vec::new());
    for check in &scenario.checks {
        let (counted, order) = judge_by(check, &trace, &history, detail);
        let (verdict, count) = counted.into_parts();
        orders.extend(order);
        judged.push(count);
        let has_nothing = check.is_optional() && count == 0 && !verdict.is_fail();
        if !verdict.is_pass() && !has_nothing {
            findings.push(Finding { check: check.name().to_owned(), verdict });
        }
    }
    // What is broken comes first, and otherwise checks come in the scenario's order.
    findings.sort_by_key(|finding| Reverse(finding.verdict.rank()));
    let verdict = findings.iter().map(|finding| finding.verdict.clone()).fold(Verdict::Pass, Verdict::merge);
    let outcome = Outcome {
        scenario: scenario.name.clone(),
        seed: case.seed,
        verdict,
        findings,
        fingerprint: trace.fingerprint(),
        counters: trace.counters,
        simulated: trace.ended_at,
        generators: by_generator(scenario, case, &effects),
        fault_effects: effects,
        reached: scenario.situations.iter().map(|situation| situation.is_reached(&trace, &history)).collect(),
        judged,
        escapes: notes.escapes.into_iter().filter(|escape| !escape.is_allowed(&scenario.allowed_escapes)).collect(),
        panics: notes.panics,
    };
    Run { outcome, trace, history, orders }
}

/// The verdict of a check, and what it reports of a run that is recorded. One that panics has failed, as its promise was
/// not judged.
fn judge_by(check: &Check, trace: &Trace, history: &History, detail: Detail) -> (CountedVerdict, Option<OrderReport>) {
    let judging = std::panic::AssertUnwindSafe(|| match detail {
        Detail::Lean => (check.judge_counting(trace, history), None),
        Detail::Rich | Detail::Bytes => check.judge_reporting(trace, history),
    });
    std::panic::catch_unwind(judging).unwrap_or_else(|_| {
        let why = match last_panic() {
            Some(PanicNote { location, message, .. }) => format!("{CHECK_PANICKED} at {location}: {message}"),
            None => CHECK_PANICKED.to_owned(),
        };
        (CountedVerdict::broken(1, why), None)
    })
}

/// How the failure of a check begins that panicked.
pub(crate) const CHECK_PANICKED: &str = "the check itself panicked";

fn failure(trace: &Trace, host: HostId, error: &str) -> Finding {
    let verdict = Verdict::fail(format!("the program of {} failed: {error}", trace.name(host)));
    let mut failures = trace.records.iter().filter(|record| record.host == Some(host) && record.event == Event::Failed);
    let verdict = match failures.next() {
        Some(record) => verdict.at(record.at),
        None => verdict,
    };
    Finding { check: "program".to_owned(), verdict }
}

/// The finding for a panic, or for what stops a host's code without one.
pub(crate) fn stopped(panic: &PanicNote) -> Finding {
    let host = panic.host.as_deref().unwrap_or("the world");
    let at = crate::fault::duration_text(panic.at);
    let (check, text) = if panic.location.is_empty() {
        let (what, how) = panic.message.split_once(": ").unwrap_or((&panic.message, "nothing more is known"));
        ("process", format!("{what} on host {host} at {at}: {how}"))
    } else {
        ("no_panics", format!("a task of {host} panicked at {at} ({}): {}", panic.location, panic.message))
    };
    Finding { check: check.to_owned(), verdict: Verdict::fail(text).at(panic.at) }
}

/// A panic, with what to do if its message says nothing of it.
fn with_advice(panic: &PanicNote, engine: Engine) -> PanicNote {
    // Turmoil's sockets look for their simulation in a thread-local of this crate.
    let is_of_turmoil = engine == Engine::Events && panic.location.contains("scoped-tls");
    let advice =
        "plain turmoil sockets need turmoil's engine: leave `events` out, or use `HostContext` or tokio's sockets";
    let message = if is_of_turmoil { format!("{} ({advice})", panic.message) } else { panic.message.clone() };
    PanicNote { message, ..panic.clone() }
}

fn by_generator(scenario: &Scenario, case: &Case, effects: &[u64]) -> Vec<GeneratorCounts> {
    let mut generators: Vec<GeneratorCounts> = scenario
        .generator_names()
        .map(|generator| GeneratorCounts { generator: generator.to_owned(), ..GeneratorCounts::default() })
        .collect();
    for (fault, effects) in case.plan.faults.iter().zip(effects) {
        if let Some(generator) = generators.iter_mut().find(|generator| generator.generator == fault.generator) {
            generator.planned += 1;
            generator.effective += u64::from(*effects > 0);
        }
    }
    generators
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::host::HostContext;

    /// An input that is not JSON, since JSON's keys are text, was once recorded as `null`.
    #[test]
    fn what_cannot_be_recorded_fails_the_run() {
        let client = async |cx: HostContext| {
            let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
            cx.recorder().invoke("put", &unwritable).ok(&unwritable);
        };
        let scenario = Scenario::new("s").host("client", client).run_for(millis(100)).settle_for(secs(0));
        let findings = run(&scenario, &scenario.case(Seed(1)), Detail::Lean).outcome.findings;
        let texts: Vec<String> = findings.iter().map(|found| format!("{} {}", found.check, found.verdict)).collect();
        let end = "of `put` of client 0 of client at 0s cannot be written as JSON: key must be a string";
        assert_eq!(texts, ["input", "answer"].map(|what| format!("recorder fail: the {what} {end}")));
    }

    #[test]
    fn operations_tell_in_which_life_of_their_client_they_were_invoked() {
        let client = async |cx: HostContext| {
            cx.recorder().invoke("ask", &()).ok(&());
            std::future::pending::<()>().await
        };
        let scenario = Scenario::new("s").host("client", client).run_for(secs(1)).settle_for(secs(0));
        let kills = [200, 600].map(|at| crate::fault::kill("client").at(millis(at)).lasting(millis(100)));
        let case = kills.into_iter().fold(Case::new("s", Seed(1)), Case::fault);
        let run = run(&scenario, &case, Detail::Lean);
        let lives: Vec<u32> = run.history.operations.iter().map(|operation| operation.life).collect();
        assert_eq!(lives, [0, 1, 2]);
    }
}
