//! Failures of deliberately broken shops are shrunk to few faults, none of which can be left out.

#[allow(dead_code)]
#[path = "../sims/mistakes/acknowledges_despite_errors.rs"]
mod despite_errors;
#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;

#[path = "shrink/inputs.rs"]
mod inputs;
#[cfg(target_os = "linux")]
#[path = "shrink/order.rs"]
mod order;
#[path = "shrink/shifted.rs"]
mod shifted;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::*;
use shop::client_config::Keys;
use shop::simulated::Setup;
use squall::fault::Plan;
use squall::internal::explore::{self, CaseRef, ExploreOptions, Pool, investigate};
use squall::internal::sandbox::{EntryPoint, is_zygote};
use squall::prelude::*;

/// The time to shrink each failure.
const SHRINK_FOR: Duration = secs(6);

fn broken(name: &str, make: fn(Setup) -> Scenario, break_it: fn(&mut Setup)) -> Scenario {
    make(Setup::changed(break_it)).renamed(name)
}

fn no_deadline() -> Scenario {
    broken("no_deadline", timeouts::with, |setup| {
        setup.client.deadline = secs(24 * 60 * 60);
        setup.client.max_attempts = u32::MAX;
        setup.client.retry_burst = f64::INFINITY;
    })
}

fn attempt_ignores_deadline() -> Scenario {
    broken("attempt_ignores_deadline", timeouts::with, |setup| setup.client.attempt_limit = |timeout, _| timeout)
}

fn unlimited_retries() -> Scenario {
    broken("unlimited_retries", retries::with, |setup| setup.client.max_attempts = u32::MAX)
}

fn no_budget() -> Scenario {
    broken("no_budget", retries::with, |setup| setup.client.retry_burst = f64::INFINITY)
}

fn retries_without_a_key() -> Scenario {
    broken("retries_without_a_key", retries::with, |setup| {
        setup.client.keys = Keys::None;
        setup.client.may_be_repeated = |_| true;
        setup.api.requires_key = false;
    })
}

fn new_key_per_attempt() -> Scenario {
    broken("new_key_per_attempt", retries::with, |setup| setup.client.keys = Keys::OfTheAttempt)
}

fn new_key_per_attempt_in_partitions() -> Scenario {
    let name = "new_key_per_attempt_in_partitions";
    broken(name, partitions::with, |setup| setup.client.keys = Keys::OfTheAttempt)
}

fn caches_health_forever() -> Scenario {
    broken("caches_health_forever", health_checks::with, |setup| setup.gateway.health_interval = secs(24 * 60 * 60))
}

fn never_readmits() -> Scenario {
    broken("never_readmits", partitions::with, |setup| setup.gateway.rise = u32::MAX)
}

fn no_drain() -> Scenario {
    broken("no_drain", stateless_restarts::with, |setup| {
        setup.api.serve.drain_delay = Duration::ZERO;
        setup.api.serve.drain_limit = Some(Duration::ZERO);
        setup.client.max_attempts = 1;
    })
}

fn key_of_the_body() -> Scenario {
    broken("key_of_the_body", idempotency::with, |setup| setup.client.keys = Keys::OfTheBody)
}

fn acknowledges_before_sync() -> Scenario {
    broken("acknowledges_before_sync", durability::with, |setup| setup.store.durability = redb::Durability::None)
}

fn trusts_its_disk() -> Scenario {
    broken("trusts_its_disk", bad_disks::with, |setup| setup.store.verifies_reads = false)
}

fn acknowledges_despite_errors() -> Scenario {
    let name = "acknowledges_despite_errors";
    broken(name, bad_disks::with, |setup| setup.store.serve.layer = Some(despite_errors::sure_of_its_commits))
}

const BROKEN: [fn() -> Scenario; 14] = [
    no_deadline,
    attempt_ignores_deadline,
    unlimited_retries,
    no_budget,
    retries_without_a_key,
    new_key_per_attempt,
    new_key_per_attempt_in_partitions,
    caches_health_forever,
    never_readmits,
    no_drain,
    key_of_the_body,
    acknowledges_before_sync,
    trusts_its_disk,
    acknowledges_despite_errors,
];

/// The scenarios of the modules, behind the others.
const SMALL: &[fn() -> Scenario] = &[
    shifted::scenario,
    inputs::scenario,
    #[cfg(target_os = "linux")]
    order::minds,
    #[cfg(target_os = "linux")]
    order::minds_not,
];

fn main() -> ExitCode {
    if is_zygote() || std::env::args().nth(1).as_deref() == Some("cli") {
        return squall::main([&BROKEN[..], SMALL].concat());
    }
    let trials = vec![
        Trial::test("broken_shops_shrink_to_two_faults_in_the_median_and_none_can_be_left_out", broken_shops),
        Trial::test("a_fault_that_only_moved_what_another_hits_is_left_out", shifted::check),
        Trial::test("operations_and_their_values_become_few_and_small", inputs::check),
        #[cfg(target_os = "linux")]
        Trial::test("the_seeds_order_of_hosts_is_kept_only_where_it_matters", order::check),
        #[cfg(target_os = "linux")]
        Trial::test("an_order_of_hosts_that_does_not_matter_is_that_of_the_scenario", order::check_any_order),
        Trial::test("what_is_found_within_a_number_of_runs_depends_on_nothing_else", inputs::check_limit),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What is left of the first failure of a scenario, within this number of runs on this number of workers.
fn shrunk(scenario: Scenario, jobs: usize, shrink_runs: u64) -> Result<explore::Shrunk, Failed> {
    let jobs = NonZeroUsize::new(jobs).ok_or("no workers")?;
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(scenario.name());
    // The table of this program has other scenarios before this one, but a pool finds them by name.
    let pool = Pool::new([scenario].into(), jobs, EntryPoint::Main, None);
    let options = ExploreOptions {
        // Far more than it takes, so that only the limit of runs counts.
        shrink_for: secs(600),
        shrink_runs,
        explain_for: secs(0),
        controls: 0,
        case_directory: Some(directory),
        ..ExploreOptions::new("0..40".parse()?)
    };
    let exploration = explore::explore(&pool, 0, &options, &mut ())?;
    let failure = exploration.failures.into_iter().next().ok_or("it does not fail")?;
    Ok(failure.as_found.ok_or("it was not shrunk")?.shrunk)
}

fn broken_shops() -> Result<(), Failed> {
    let scenarios: Arc<[Scenario]> = BROKEN.iter().map(|scenario| scenario()).collect();
    let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let pool = Pool::new(scenarios.clone(), jobs, EntryPoint::Main, None);
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("shrink");
    let mut sizes = Vec::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        let options = ExploreOptions {
            shrink_for: SHRINK_FOR,
            explain_for: Duration::ZERO,
            controls: 0,
            case_directory: Some(directory.clone()),
            ..ExploreOptions::new("0..40".parse()?)
        };
        let exploration = explore::explore(&pool, index, &options, &mut ())?;
        let name = scenario.name();
        let failure = exploration.failures.first().ok_or_else(|| format!("{name} is not caught"))?;
        let found = failure.as_found.as_ref().ok_or_else(|| format!("{name} is not shrunk"))?;
        let shrunk = &found.shrunk;
        let (from, to) = (shrunk.from, shrunk.to);
        println!(
            "{name}: {} from {} faults and {} operations to {} and {} in {} runs, {:.1}s",
            shrunk.promise.check,
            from.faults,
            from.operations,
            to.faults,
            to.operations,
            shrunk.runs,
            shrunk.took.as_secs_f64()
        );
        assert!(shrunk.promise.is_broken_by(&found.failure.outcome), "{name}: the original case breaks this promise");
        assert!(shrunk.promise.is_broken_by(&failure.outcome), "{name}: the smaller case breaks this promise");
        assert_eq!(to.faults, failure.case.plan.faults.len());
        for fault in 0..to.faults {
            let mut faults = failure.case.plan.faults.clone();
            let left_out = faults.remove(fault);
            let case = squall::scenario::Case { plan: Plan::new(faults), ..failure.case.clone() };
            let replay = investigate(&pool, index, &CaseRef::Case(Box::new(case)), None)?;
            assert!(!shrunk.promise.is_broken_by(&replay.outcome), "{name}: {left_out} can be left out");
        }
        sizes.push(to.faults);
    }
    sizes.sort_unstable();
    println!("faults left: {sizes:?}");
    assert!(sizes[sizes.len() / 2] <= 2, "the median of {sizes:?} is more than two");
    let without_faults = sizes.iter().filter(|size| **size == 0).count();
    assert!(without_faults <= 1, "too many shops fail without any fault: {sizes:?}");
    Ok(())
}
