//! Mutants of the shop: every promise has a shop that breaks it on purpose, which the promise's check must catch.

#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;

use scenarios::*;
use shop::simulated::Setup;
use squall::check::Verdict;
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
            return;
        }
    }
    panic!("{promise} did not catch its mutant in {SEEDS} seeds");
}

#[test]
fn t1_catches_a_client_without_a_deadline() {
    assert_caught("T1", timeouts::with, |setup| {
        setup.client.mistakes.no_deadline = true;
        setup.client.mistakes.unlimited_retries = true;
        setup.client.mistakes.no_budget = true;
    });
}

#[test]
fn t2_catches_attempts_that_ignore_the_deadline() {
    assert_caught("T2 attempts end", timeouts::with, |setup| setup.client.mistakes.attempt_ignores_deadline = true);
}

#[test]
fn r1_catches_unlimited_retries() {
    assert_caught("R1", retries::with, |setup| setup.client.mistakes.unlimited_retries = true);
}

#[test]
fn r2_catches_a_client_without_a_budget() {
    assert_caught("R2", retries::with, |setup| setup.client.mistakes.no_budget = true);
}

/// What passes over the wire is enough to catch these, without a word from the shop.
#[test]
fn the_wire_alone_catches_six_mistakes() {
    assert_caught("R1 attempts are limited on the wire", retries::with, |setup| {
        setup.client.mistakes.unlimited_retries = true;
    });
    assert_caught("R3", retries::with, |setup| setup.gateway.mistakes.retries_at_each_layer = true);
    assert_caught("R5", partitions::with, |setup| setup.client.respects_retry_after = false);
    assert_caught("R6 only safe requests are sent again", retries::with, retry_without_a_key);
    assert_caught("I5", retries::with, |setup| setup.client.mistakes.new_key_per_attempt = true);
    assert_caught("T3", timeouts::with, |setup| setup.api.mistakes.ignores_deadline = true);
}

fn retry_without_a_key(setup: &mut Setup) {
    setup.client.mistakes.retry_unkeyed_posts = true;
    setup.api.requires_key = false;
}

#[test]
fn r6_catches_retries_of_orders_without_a_key() {
    assert_caught("R6 only safe requests are retried", retries::with, retry_without_a_key);
}

#[test]
fn i1_catches_a_new_key_for_each_attempt() {
    assert_caught("I1", retries::with, |setup| setup.client.mistakes.new_key_per_attempt = true);
}

#[test]
fn lost_answers_catch_new_keys_and_hasty_acknowledgements() {
    assert_caught("I1", lost_answers::with, |setup| setup.client.mistakes.new_key_per_attempt = true);
    assert_caught("C2", lost_answers::with, |setup| setup.store.acknowledge_before_sync = true);
}

#[test]
fn i2_catches_orders_that_are_placed_twice() {
    assert_caught("I2", retries::with, retry_without_a_key);
}

#[test]
fn h1_catches_health_that_is_cached_for_ever() {
    assert_caught("H1", health_checks::with, |setup| setup.gateway.mistakes.caches_health_forever = true);
}

#[test]
fn h1_catches_probes_that_only_connect() {
    let hanging = |plan: Plan| {
        let stalls = plan.faults.into_iter().filter(|fault| fault.kind.name() == "output stall");
        Plan::new(stalls.collect())
    };
    let only_connect = |setup: &mut Setup| setup.gateway.mistakes.probes_only_connect = true;
    assert_caught_with("H1", health_checks::with, only_connect, hanging);
}

#[test]
fn h2_catches_a_gateway_that_never_readmits() {
    // With two of three servers ejected for good, fewer than half are healthy and all are used again, so the plan keeps
    // only one fault.
    let long_enough = |plan: Plan| {
        let outage = plan.faults.into_iter().find(|fault| fault.lasting > secs(6));
        Plan::new(outage.into_iter().collect())
    };
    let never_readmits = |setup: &mut Setup| setup.gateway.mistakes.never_readmits = true;
    assert_caught_with("H2", health_checks::with, never_readmits, long_enough);
}

#[test]
fn s1_catches_servers_that_stop_without_a_drain() {
    assert_caught("S1", stateless_restarts::with, |setup| {
        setup.api.mistakes.no_drain = true;
        setup.api.serve.drain_limit = Some(std::time::Duration::ZERO);
        setup.client.max_attempts = 1;
    });
}

#[test]
fn s3_catches_sessions_that_live_in_one_server() {
    assert_caught("S3", stateless_restarts::with, |setup| setup.api.mistakes.session_in_memory = true);
}

#[test]
fn s3_catches_tokens_that_expire_within_the_clock_skew() {
    assert_caught("S3", stateless_restarts::with, |setup| {
        setup.api.token_lifetime = std::time::Duration::from_secs(60);
    });
}

#[test]
fn c2_catches_a_store_that_acknowledges_before_its_sync() {
    assert_caught("C2", durability::with, |setup| setup.store.acknowledge_before_sync = true);
}

#[test]
fn d1_catches_a_store_that_trusts_its_disk() {
    assert_caught("D1", bad_disks::with, |setup| setup.store.trusts_its_disk = true);
}

#[test]
fn i2_catches_a_store_that_acknowledges_despite_errors() {
    assert_caught("I2", bad_disks::with, |setup| setup.store.acknowledges_despite_errors = true);
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
    let trusts = |setup: &mut Setup| setup.store.trusts_a_later_sync = true;
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
    let mistakes = shop::store::Mistakes { acknowledge_before_sync: true, ..Default::default() };
    let config = shop::store::Config { mistakes, ..shop::store::Config::default() };
    assert_caught_in("L1", &linearizable::with(config), |plan| plan);
}

#[test]
fn l1_catches_a_compare_and_set_that_is_not_atomic() {
    let value_mistakes = shop::values::Mistakes { compares_before_it_writes: true };
    let config = shop::store::Config { value_mistakes, ..shop::store::Config::default() };
    assert_caught_in("L1", &linearizable::with(config), |plan| plan);
}
