//! Overload: with more requests than can be served, as many are served as ever, the others are refused at once, and soon
//! after the rush everybody is served again.

use squall::check::http::OverloadPolicy;
use squall::prelude::*;

use crate::shop::client_config::ClientConfig;
use crate::shop::simulated::{Rush, Setup, shop_with_promises};
use crate::shop::situations;
use crate::shop::workload;

/// A store that is far away, few workers, and a rush of buyers.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    rush("overload", setup, 0.8)
}

/// A scenario of this name, in which this share of the capacity is served during the rush.
pub fn rush(name: &str, mut setup: Setup, goodput: f64) -> Scenario {
    setup.buyers = 100;
    setup.operations = workload::order_or_read;
    setup.thinking_ms = 5_000..15_000;
    setup.rush = Some(Rush { begins_ms: 5_000, ends_ms: 12_000, times: 7 });
    // One worker and room for two more requests, instead of 128 and 128.
    setup.api.admission.workers /= 128;
    setup.api.admission.queue /= 64;
    // Three workers that need 0.14 s for a request.
    let mut policy = OverloadPolicy::new("gateway", 20.0, ClientConfig::default().deadline);
    policy.queue = "api".to_owned();
    policy.longest_wait = millis(650);
    policy.goodput = goodput;
    let scenario = shop_with_promises(name, setup)
        .link_latency("api", "store", millis(65)..millis(75))
        .run_for(secs(16))
        .settle_for(secs(40))
        .fault(fault::kill(one("api")).every(secs(6)..secs(20)).lasting(millis(200)..secs(2)))
        .fault(
            fault::latency(millis(100)..millis(300), "api", "store").every(secs(6)..secs(20)).lasting(secs(1)..secs(3)),
        )
        .sometimes("a request was refused because too many waited", situations::a_request_was_refused_with_a_wait);
    policy.checks().into_iter().fold(scenario, Scenario::check)
}
