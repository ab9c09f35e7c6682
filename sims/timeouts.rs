//! Timeouts: whatever the network does to a call, the call ends within its deadline and each attempt within its
//! timeout.

use squall::prelude::*;

use crate::shop::simulated::{Setup, shop_with_promises};
use crate::shop::situations;

/// Slow links, links that stall, an unreachable gateway, and names that resolve slowly or to a black hole.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    shop_with_promises("timeouts", setup)
        .fault(
            fault::latency(millis(300)..millis(2_500), "gateway", "api")
                .every(secs(3)..secs(9))
                .lasting(secs(1)..secs(4)),
        )
        .fault(fault::hold("api", "store").every(secs(4)..secs(12)).lasting(millis(500)..secs(5)))
        .fault(fault::partition("buyer", "gateway").every(secs(6)..secs(14)).lasting(secs(1)..secs(6)))
        .fault(fault::latency_wave(secs(2), one("api"), "store").every(secs(5)..secs(12)).lasting(secs(2)..secs(6)))
        .fault(
            fault::burst_loss(millis(800), millis(200), 1.0, "buyer", "gateway")
                .every(secs(5)..secs(12))
                .lasting(secs(2)..secs(8)),
        )
        .fault(
            fault::bandwidth(4_000, 64_000, "gateway", one("api")).every(secs(5)..secs(12)).lasting(secs(2)..secs(6)),
        )
        .fault(fault::dns_slow(millis(1_500), "gateway", one("api")).every(secs(4)..secs(12)).lasting(secs(1)..secs(5)))
        .fault(fault::dns_slow(millis(700), "api", "store").every(secs(6)..secs(15)).lasting(secs(2)..secs(8)))
        .fault(fault::dns_blackhole("buyer", "gateway").every(secs(6)..secs(14)).lasting(secs(1)..secs(6)))
        .fault(fault::trickle(30, millis(150), "gateway", "buyer").every(secs(5)..secs(12)).lasting(secs(2)..secs(5)))
        .fault(fault::stall(80, "api", "gateway").one_way().every(secs(5)..secs(12)).lasting(secs(1)..secs(4)))
        .sometimes(
            "an attempt timed out and its call still succeeded",
            situations::an_attempt_timed_out_and_its_call_succeeded,
        )
        .sometimes("a call ended at its deadline", situations::a_call_ended_at_its_deadline)
        .sometimes(
            "an order took effect after its client had given up",
            situations::an_order_took_effect_after_its_client_gave_up,
        )
}
