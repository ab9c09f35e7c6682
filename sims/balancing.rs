//! Balancing: requests go where there is least to do, but a server that fails at once is not taken for an idle one.

use squall::prelude::*;

use crate::shop::balance::Balancing;
use crate::shop::simulated::{Setup, health_policy, shop_with_promises};
use crate::shop::situations;

/// Many buyers, a store that is far away, and servers that cannot find it.
pub fn scenario() -> Scenario {
    with(secs(1), |_| ())
}

/// The same with a gateway that shuns servers for another time after a failure, and with other changes.
pub fn with(shun_failed_for: std::time::Duration, change: fn(&mut Setup)) -> Scenario {
    let mut setup = Setup { buyers: 12, thinking_ms: 100..1_250, ..Setup::default() };
    // A connection for each request, so that a server that cannot find the store fails at once.
    setup.api.pool.idle_per_host = 0;
    setup.gateway.balancing = Balancing::LeastRequest { choices: 3, shun_failed_for };
    change(&mut setup);
    shop_with_promises("balancing", setup)
        .link_latency("api", "store", millis(80)..millis(120))
        .fault(fault::dns_not_found(one("api"), "store").every(secs(4)..secs(10)).lasting(secs(6)..secs(10)))
        .fault(
            fault::latency(millis(10)..millis(30), "api", "store").every(secs(4)..secs(10)).lasting(secs(4)..secs(9)),
        )
        .fault(fault::kill(one("api")).every(secs(8)..secs(20)).lasting(secs(1)..secs(5)))
        .check(health_policy().failing_backends_are_not_preferred())
        .check(health_policy().requests_to_recovered_backends())
        .sometimes("a retry reached another server", situations::a_retry_reached_another_server)
}
