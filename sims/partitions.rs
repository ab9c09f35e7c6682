//! Partitions: whoever is cut off, both ways or one way, nothing is lost or done twice, and all is well after the heal.

use squall::prelude::*;

use crate::shop::simulated::{Setup, health_policy, shop_with_promises};

/// Cuts between all tiers.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    let policy = health_policy(&setup);
    shop_with_promises("partitions", setup)
        .fault(fault::partition("gateway", minority("api")).every(secs(3)..secs(8)).lasting(millis(500)..secs(6)))
        .fault(fault::partition(one("api"), "store").every(secs(3)..secs(8)).lasting(millis(300)..secs(5)))
        .fault(fault::partition_one_way("store", one("api")).every(secs(3)..secs(8)).lasting(millis(300)..secs(5)))
        .fault(fault::partition_one_way("gateway", "buyer").every(secs(6)..secs(15)).lasting(millis(300)..secs(4)))
        .fault(fault::partition("api", "pricing").every(secs(4)..secs(10)).lasting(secs(1)..secs(6)))
        .check(policy.the_healthy_get_requests_again())
}
