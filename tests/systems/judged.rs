//! What `http_promises` says of a system.

use std::collections::{BTreeMap, BTreeSet};

use squall::check::http::HttpPolicy;
use squall::fault::Swarm;
use squall::internal::run::{Detail, draw, run};
use squall::prelude::*;

/// The number of seeds that each system runs.
const SEEDS: u64 = 12;

/// The promises about HTTP, by the first words of their names: how many things were judged, and which were broken.
pub struct Judged {
    pub judged: BTreeMap<String, u64>,
    pub broken: BTreeSet<String>,
    /// The first reason of each.
    pub why: Vec<String>,
}

/// Adds faults between clients, the service that they ask, and the one behind it, and time for all of it.
pub fn with_faults(scenario: Scenario, clients: &str, front: &str, back: &str) -> Scenario {
    scenario
        .fault(fault::loss(0.1, clients, front).every(secs(3)..secs(8)).lasting(secs(2)..secs(5)))
        .fault(fault::kill(back).every(secs(4)..secs(10)).lasting(millis(200)..secs(2)))
        .fault(fault::reset(200, clients, front).every(secs(4)..secs(10)).lasting(millis(100)..secs(1)))
        .fault(fault::hold(front, back).every(secs(4)..secs(10)).lasting(millis(300)..secs(1)))
        .run_for(secs(30))
        .settle_for(secs(20))
}

/// Runs a scenario with the promises of this policy, and nothing else.
pub fn judge(scenario: Scenario, policy: &HttpPolicy) -> Judged {
    let scenario = scenario.http_promises(policy);
    let names: Vec<String> = policy.checks().iter().map(|check| promise(check.name())).collect();
    let mut found = Judged { judged: BTreeMap::new(), broken: BTreeSet::new(), why: Vec::new() };
    for seed in (0..SEEDS).map(Seed) {
        let outcome = run(&scenario, &draw(&scenario, seed, &Swarm::default()), Detail::Lean).outcome;
        for (name, judged) in names.iter().zip(&outcome.judged) {
            *found.judged.entry(name.clone()).or_default() += judged;
        }
        for finding in outcome.findings.iter().filter(|finding| finding.verdict.is_fail()) {
            if found.broken.insert(promise(&finding.check)) {
                found.why.push(format!("seed {seed}: {}", finding.verdict));
            }
        }
    }
    found
}

fn promise(check: &str) -> String {
    check.split(' ').next().unwrap_or(check).to_owned()
}

/// Asserts that a right system keeps all promises, and that at least fifteen of them judged something.
pub fn assert_judged(found: &Judged) {
    assert!(found.broken.is_empty(), "{:?}", found.why);
    let judged = found.judged.values().filter(|judged| **judged > 0).count();
    println!("{judged} promises judged: {:?}", found.judged);
    assert!(judged >= 15, "{:?}", found.judged);
}

/// Asserts that a mistake breaks this promise; `also` names others that it breaks by its nature.
pub fn assert_breaks(promise: &str, also: &[&str], found: &Judged) {
    assert!(found.broken.contains(promise), "{promise} is not broken, but {:?}", found.why);
    let others: Vec<&String> =
        found.broken.iter().filter(|broken| *broken != promise && !also.contains(&broken.as_str())).collect();
    assert!(others.is_empty(), "besides {promise}: {:?}", found.why);
}
