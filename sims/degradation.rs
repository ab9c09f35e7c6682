//! Degradation: while pricing is unwell, prices are old and marked, or refused; soon after it has recovered they are fresh again.

use squall::check;
use squall::prelude::*;

use crate::shop::breaker::BreakerConfig;
use crate::shop::served::fallbacks_are_marked;
use crate::shop::simulated::{Setup, shop_without_retries};
use crate::shop::situations;
use crate::shop::workload;

/// So many failures in a row open a breaker.
const FAILURES: usize = 3;

/// A pricing service that dies, hangs, or is slow or unreachable, while gateways come and go.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup, but for the load and for breakers that open sooner and wait for less.
pub fn with(setup: Setup) -> Scenario {
    with_backoff(setup, secs(1))
}

/// The same with breakers that wait for so long before their first probe.
pub fn with_backoff(mut setup: Setup, backoff_min: std::time::Duration) -> Scenario {
    let longest_backoff = secs(4);
    // A probe that is under way when the faults end may fail, and the breaker waits from then on.
    let longest_probe = setup.api.pricing_timeout;
    setup.operations = workload::price_or_order;
    setup.thinking_ms = 200..1_200;
    setup.api.stale_limit = secs(20);
    setup.api.coalesces_prices = true;
    setup.api.breaker =
        BreakerConfig { failures: FAILURES as u32, backoff_min, backoff_max: longest_backoff, ..setup.api.breaker };
    shop_without_retries("degradation", setup)
        .fault(fault::kill("pricing").every(secs(4)..secs(10)).lasting(secs(1)..secs(6)))
        .fault(fault::output_stall("pricing").every(secs(4)..secs(10)).lasting(secs(1)..secs(6)))
        .fault(fault::partition(one("api"), "pricing").every(secs(4)..secs(10)).lasting(secs(1)..secs(6)))
        .fault(
            fault::latency(millis(200)..millis(900), "api", "pricing")
                .every(secs(5)..secs(12))
                .lasting(secs(1)..secs(4)),
        )
        .fault(fault::kill("gateway").every(secs(2)..secs(6)).lasting(millis(200)..secs(1)))
        .check(fallbacks_are_marked(secs(20)))
        // The jitter shortens the wait of 1 s by up to a tenth.
        .check(check::open_breakers_wait(millis(900), "/price/"))
        .check(check::breakers_probe_with_few(1, "/price/"))
        .check(check::breakers_open_after(FAILURES, "/price/"))
        .check(check::breakers_close_within(longest_backoff + longest_probe, "/catalogue/"))
        .sometimes("a stale price was served instead of a fresh one", situations::an_old_price_stood_in)
        .sometimes("a breaker opened and closed again", situations::a_breaker_opened_and_closed)
}
