//! Mutants of the shop beyond those of `sims/mistakes`: other faults, particular plans, and promises that no shop can keep.

#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{ETAG, HeaderValue, IF_MATCH};
use scenarios::*;
use shop::client_config::Keys;
use shop::message::problem;
use shop::serve::Layer;
use shop::simulated::Setup;
use squall::check::{Breach, Verdict};
use squall::fault::{DiskCalls, Plan, Swarm};
use squall::internal::run::{Detail, draw, run};
use squall::prelude::*;

/// The number of seeds within which a check must catch its mutant.
const SEEDS: u64 = 20;

/// Asserts that the check whose name starts with `promise` fails for the broken setup, and prints on which seed.
fn assert_caught(promise: &str, make: fn(Setup) -> Scenario, break_it: fn(&mut Setup)) {
    assert_caught_with(promise, make, break_it, |plan| plan);
}

fn assert_caught_with(promise: &str, make: fn(Setup) -> Scenario, break_it: fn(&mut Setup), narrow: fn(Plan) -> Plan) {
    assert_caught_in(promise, &make(Setup::changed(break_it)), narrow);
}

fn assert_caught_in(promise: &str, scenario: &Scenario, narrow: fn(Plan) -> Plan) {
    for seed in (0..SEEDS).map(Seed) {
        let mut case = draw(scenario, seed, &Swarm::default());
        case.plan = narrow(case.plan);
        let outcome = run(scenario, &case, Detail::Lean).outcome;
        let found = outcome
            .findings
            .iter()
            .find(|finding| finding.check.starts_with(promise) && matches!(finding.verdict, Verdict::Fail(_)));
        if let Some(finding) = found {
            println!("seed {seed}: {}", finding.verdict);
            let moment = finding.verdict.breach().and_then(Breach::moment);
            assert!(moment.is_some_and(|at| at <= outcome.simulated), "{moment:?} is no moment of the run");
            return;
        }
    }
    panic!("{promise} did not catch its mutant in {SEEDS} seeds");
}

#[test]
fn lost_answers_catch_new_keys_and_hasty_acknowledgements() {
    assert_caught("I1", lost_answers::with, |setup| setup.client.keys = Keys::OfTheAttempt);
    assert_caught("C2", lost_answers::with, |setup| setup.store.durability = redb::Durability::None);
}

/// Syncs that fail for half a second, and a power loss half a second later, five times.
fn syncs_then_power(_: Plan) -> Plan {
    let faults = (1..6).flat_map(|round| {
        let begins = secs(5) * round;
        let syncs = fault::disk_errors(1.0, DiskCalls::Syncs, "store").at(begins).lasting(millis(500));
        [syncs, fault::power_off("store").at(begins + millis(1_000)).lasting(millis(300))]
    });
    Plan::new(faults.collect())
}

#[test]
fn a_store_that_trusts_a_later_sync_loses_its_database() {
    // Its database detects the damage and never opens again: the store serves nothing wrong, but nothing else either.
    let trusts = |setup: &mut Setup| setup.store.writes_again = false;
    assert_caught_with("recovers in time", bad_disks::with, trusts, syncs_then_power);
    let scenario = bad_disks::scenario();
    for seed in (0..SEEDS).map(Seed) {
        let mut case = scenario.case(seed);
        case.plan = syncs_then_power(case.plan);
        let outcome = run(&scenario, &case, Detail::Lean).outcome;
        assert!(outcome.verdict.is_pass(), "seed {seed}: {:?}", outcome.findings);
        let failed_syncs = outcome.fault_effects.iter().step_by(2).filter(|effects| **effects > 0).count();
        assert!(failed_syncs >= 3, "{:?}", outcome.fault_effects);
    }
}

#[test]
fn c2_catches_a_disk_that_lies_about_its_syncs() {
    // No store can prevent it: the promise assumes disks that really sync.
    let lies = |_: Plan| {
        let faults = (1..6).flat_map(|round| {
            let power_off = fault::power_off("store").at(secs(5) * round).lasting(millis(300));
            [fault::lost_syncs("store").at(secs(5) * round - millis(700)).lasting(secs(1)), power_off]
        });
        Plan::new(faults.collect())
    };
    assert_caught_with("C2", durability::with, |_| {}, lies);
}

#[test]
fn the_shop_tolerates_a_disk_that_is_bad_from_the_start() {
    let scenario = bad_disks::scenario();
    let troubles = [
        fault::disk_corruption(0.1, "store").at_start(),
        fault::disk_errors(0.05, DiskCalls::All, "store").at_start(),
        fault::disk_errors(0.3, DiskCalls::Syncs, "store").at_start(),
    ];
    for (trouble, seed) in troubles.iter().flat_map(|trouble| (0..SEEDS).map(move |seed| (trouble, Seed(seed)))) {
        let mut case = scenario.case(seed);
        let power_offs = case.plan.faults.into_iter().filter(|fault| fault.kind.name() == "power off");
        case.plan = Plan::new(power_offs.chain([trouble.clone().lasting(secs(30))]).collect());
        let outcome = run(&scenario, &case, Detail::Lean).outcome;
        assert!(outcome.verdict.is_pass(), "{trouble}, seed {seed}: {:?}", outcome.findings);
    }
}

#[test]
fn l1_catches_a_store_that_forgets() {
    let durability = redb::Durability::None;
    let config = shop::store::Config { durability, ..shop::store::Config::default() };
    assert_caught_in("L1", &linearizable::with(config), |plan| plan);
}

#[test]
fn l1_catches_a_compare_and_set_that_is_not_atomic() {
    let mut config = shop::store::Config::default();
    config.serve.layer = Some(compares_first);
    assert_caught_in("L1", &linearizable::with(config), |plan| plan);
}

/// Compares a version with the one that it has seen last, and then lets the store write over whatever is there.
fn compares_first() -> Layer {
    let versions: Arc<Mutex<BTreeMap<String, HeaderValue>>> = Arc::default();
    Arc::new(move |mut request, routes| {
        let (versions, path) = (versions.clone(), request.uri().path().to_owned());
        let known = versions.lock().unwrap().get(&path).cloned();
        Box::pin(async move {
            if let Some(known) = known
                && let Some(expected) = request.headers_mut().remove(IF_MATCH)
            {
                if expected != known {
                    return problem(StatusCode::PRECONDITION_FAILED, "another version is there");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let answer = routes(request).await;
            if let Some(version) = answer.headers().get(ETAG) {
                versions.lock().unwrap().insert(path, version.clone());
            }
            answer
        })
    })
}
