//! The classic mistakes of client-server systems, each planted into the shop, one in each file. `cargo sims mistakes` looks
//! for the runs that catch them.

mod acknowledges_before_the_sync;
mod acknowledges_despite_errors;
mod attempt_ignores_the_deadline;
mod deadline_not_passed_on;
mod health_cached_for_ever;
mod never_readmits;
mod new_key_for_each_attempt;
mod no_attempt_limit;
mod no_deadline;
mod no_drain_delay;
mod no_retry_budget;
mod post_retried_without_a_key;
mod probes_only_connect;
mod retries_at_each_layer;
mod retry_after_ignored;
mod session_in_memory;
mod tokens_expire_within_the_clock_skew;
mod trusts_its_disk;

use squall::prelude::*;
use squall::scenario::Mistake;

use crate::shop::simulated::Setup;

/// All mistakes, in the order of the table.
pub fn all() -> [fn() -> Mistake; 18] {
    [
        post_retried_without_a_key::mistake,
        new_key_for_each_attempt::mistake,
        no_deadline::mistake,
        attempt_ignores_the_deadline::mistake,
        no_attempt_limit::mistake,
        no_retry_budget::mistake,
        retries_at_each_layer::mistake,
        retry_after_ignored::mistake,
        deadline_not_passed_on::mistake,
        health_cached_for_ever::mistake,
        probes_only_connect::mistake,
        never_readmits::mistake,
        no_drain_delay::mistake,
        session_in_memory::mistake,
        tokens_expire_within_the_clock_skew::mistake,
        acknowledges_before_the_sync::mistake,
        trusts_its_disk::mistake,
        acknowledges_despite_errors::mistake,
    ]
}

/// A scenario of the shop as it is, and with another setup.
fn changed(name: &str, with: fn(Setup) -> Scenario, change: fn(&mut Setup)) -> Mistake {
    Mistake::new(name, with(Setup::default()), with(Setup::changed(change)))
}
