//! Health checks: the gateway detects dead and recovered servers within the time that it promises.

use squall::prelude::*;

use crate::shop::simulated::{Setup, health_policy, shop_with_promises};
use crate::shop::situations;

/// Servers that die, with or without notice to their peers, and come back; and servers that hang or are paused: they
/// accept and do not answer.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    let policy = health_policy();
    shop_with_promises("health_checks", setup)
        .fault(fault::kill(one("api")).every(secs(2)..secs(20)).lasting(secs(2)..secs(12)))
        .fault(fault::power_off(one("api")).every(secs(5)..secs(30)).lasting(secs(6)..secs(14)))
        .fault(fault::partition("gateway", one("api")).every(secs(5)..secs(30)).lasting(secs(1)..secs(8)))
        .fault(
            fault::slow_host(millis(50)..millis(400), 0.1, one("api"))
                .every(secs(8)..secs(20))
                .lasting(secs(2)..secs(8)),
        )
        .fault(fault::flapping(secs(2), "gateway", one("api")).every(secs(8)..secs(30)).lasting(secs(4)..secs(10)))
        .fault(fault::output_stall(one("api")).every(secs(5)..secs(30)).lasting(secs(4)..secs(12)))
        .fault(fault::pause(one("api")).every(secs(5)..secs(30)).lasting(secs(1)..secs(12)))
        .check(policy.clone().no_requests_to_dead_backends())
        .check(policy.clone().some_backend_is_tried())
        .check(policy.requests_to_recovered_backends())
        .sometimes("a server was ejected and came back", situations::a_server_was_ejected_and_came_back)
        .sometimes("a server that hung was ejected", situations::a_server_that_hung_was_ejected)
        .sometimes("a request was sent to a server that was dead", situations::a_request_was_sent_to_a_dead_server)
        .sometimes("most servers were ejected, so all were used again", situations::most_servers_were_ejected_at_once)
}
