//! The classic mistakes of client-server systems, each planted into the shop, one in each file. `cargo sims mistakes` looks
//! for the runs that catch them.

mod accepts_without_the_store;
mod acknowledges_before_the_sync;
mod acknowledges_despite_errors;
mod attempt_ignores_the_deadline;
mod breaker_counts_cancellations;
mod breaker_floods_with_probes;
mod breaker_never_recovers;
mod breaker_never_waits;
mod cache_ignores_who_asks;
mod cancelled_attempt_keeps_its_stream;
mod cancelled_stream_closes_its_connection;
mod claims_are_believed;
mod client_idle_limit_above_the_servers;
mod coalesces_by_path_alone;
mod commits_what_arrived;
mod deadline_not_passed_on;
mod drain_without_a_limit;
mod ejects_all_that_fail;
mod ejects_for_good;
mod ejects_without_a_cap;
mod expired_work_runs;
mod flight_outlives_its_leader;
mod health_cached_for_ever;
mod hedges_without_a_budget;
mod hedges_writes;
mod jitter_shared_by_all;
mod jitter_vanishes_at_the_cap;
mod key_of_the_body;
mod key_without_the_body;
mod least_request_feeds_the_failing_host;
mod liveness_asks_the_store;
mod never_readmits;
mod new_key_for_each_attempt;
mod no_attempt_limit;
mod no_backoff;
mod no_deadline;
mod no_drain_delay;
mod no_idle_limit;
mod no_jitter;
mod no_panic_threshold;
mod no_retry_budget;
mod orders_share_a_buffer;
mod post_retried_without_a_key;
mod price_of_the_client;
mod probes_only_connect;
mod probes_without_a_pause;
mod queue_without_a_limit;
mod retries_at_each_layer;
mod retries_on_client_errors;
mod retry_after_beyond_the_deadline;
mod retry_after_ignored;
mod retry_at_the_failing_host;
mod reuses_a_closed_connection;
mod session_in_memory;
mod sticky_session_in_memory;
mod timer_stops_at_the_head;
mod tokens_expire_within_the_clock_skew;
mod trusts_its_disk;
mod unknown_outcome_called_refused;
mod unmarked_fallback;
mod work_outlives_its_caller;

use squall::prelude::*;
use squall::scenario::Mistake;

use crate::shop::simulated::Setup;

/// All mistakes, in the order of the table.
pub fn all() -> [fn() -> Mistake; 61] {
    [
        post_retried_without_a_key::mistake,
        new_key_for_each_attempt::mistake,
        key_of_the_body::mistake,
        key_without_the_body::mistake,
        no_jitter::mistake,
        jitter_vanishes_at_the_cap::mistake,
        jitter_shared_by_all::mistake,
        no_backoff::mistake,
        no_deadline::mistake,
        attempt_ignores_the_deadline::mistake,
        timer_stops_at_the_head::mistake,
        no_attempt_limit::mistake,
        no_retry_budget::mistake,
        retries_at_each_layer::mistake,
        retry_after_ignored::mistake,
        retry_after_beyond_the_deadline::mistake,
        retries_on_client_errors::mistake,
        retry_at_the_failing_host::mistake,
        unknown_outcome_called_refused::mistake,
        deadline_not_passed_on::mistake,
        cancelled_attempt_keeps_its_stream::mistake,
        cancelled_stream_closes_its_connection::mistake,
        work_outlives_its_caller::mistake,
        reuses_a_closed_connection::mistake,
        client_idle_limit_above_the_servers::mistake,
        no_idle_limit::mistake,
        breaker_never_recovers::mistake,
        breaker_never_waits::mistake,
        breaker_floods_with_probes::mistake,
        breaker_counts_cancellations::mistake,
        never_readmits::mistake,
        health_cached_for_ever::mistake,
        probes_only_connect::mistake,
        probes_without_a_pause::mistake,
        liveness_asks_the_store::mistake,
        no_panic_threshold::mistake,
        least_request_feeds_the_failing_host::mistake,
        hedges_writes::mistake,
        hedges_without_a_budget::mistake,
        ejects_without_a_cap::mistake,
        ejects_all_that_fail::mistake,
        ejects_for_good::mistake,
        no_drain_delay::mistake,
        drain_without_a_limit::mistake,
        session_in_memory::mistake,
        sticky_session_in_memory::mistake,
        tokens_expire_within_the_clock_skew::mistake,
        cache_ignores_who_asks::mistake,
        coalesces_by_path_alone::mistake,
        flight_outlives_its_leader::mistake,
        acknowledges_before_the_sync::mistake,
        acknowledges_despite_errors::mistake,
        trusts_its_disk::mistake,
        commits_what_arrived::mistake,
        orders_share_a_buffer::mistake,
        unmarked_fallback::mistake,
        accepts_without_the_store::mistake,
        queue_without_a_limit::mistake,
        expired_work_runs::mistake,
        claims_are_believed::mistake,
        price_of_the_client::mistake,
    ]
}

/// A scenario of the shop as it is, and with another setup.
fn changed(name: &str, with: fn(Setup) -> Scenario, change: fn(&mut Setup)) -> Mistake {
    Mistake::new(name, with(Setup::default()), with(Setup::changed(change)))
}
