//! Partitions: whichever host is cut off, in both directions or one, nothing is lost or done twice, and the shop
//! recovers after the partition heals.

use squall::prelude::*;

use crate::shop::simulated::{Setup, health_policy, shop_with_promises};
use crate::shop::situations;

/// Partitions between all tiers, and names that do not resolve.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    let policy = health_policy();
    shop_with_promises("partitions", setup)
        .fault(fault::partition("gateway", minority("api")).every(secs(3)..secs(8)).lasting(millis(500)..secs(6)))
        .fault(fault::partition(one("api"), "store").every(secs(3)..secs(8)).lasting(millis(300)..secs(5)))
        .fault(fault::partition_one_way("store", one("api")).every(secs(3)..secs(8)).lasting(millis(300)..secs(5)))
        .fault(fault::partition_one_way("gateway", "buyer").every(secs(6)..secs(15)).lasting(millis(300)..secs(4)))
        .fault(fault::partition("api", "pricing").every(secs(4)..secs(10)).lasting(secs(1)..secs(6)))
        .fault(fault::bridge("*").every(secs(5)..secs(15)).lasting(millis(300)..secs(3)))
        .fault(fault::swizzle("api").every(secs(8)..secs(20)).lasting(secs(2)..secs(6)))
        .fault(
            fault::partition_with_reset("gateway", one("api")).every(secs(4)..secs(10)).lasting(millis(300)..secs(4)),
        )
        .fault(fault::flapping(millis(600), "api", "store").every(secs(6)..secs(15)).lasting(secs(1)..secs(5)))
        .fault(fault::dns_not_found(one("api"), "store").every(secs(4)..secs(10)).lasting(millis(500)..secs(5)))
        .check(policy.requests_to_recovered_backends())
        .sometimes(
            "an order took effect although its client got no answer",
            situations::an_order_took_effect_without_an_answer,
        )
        .sometimes("a server was ejected while it was alive", situations::a_living_server_was_ejected)
        .sometimes("a stale price was served instead of a fresh one", situations::an_old_price_stood_in)
}
