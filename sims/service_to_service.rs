//! Service to service: a server that needs two others asks the second with what the first has left of its caller's time, and
//! one that is unwell takes nothing from the other.

use squall::prelude::*;

use crate::shop::simulated::{Setup, http_policy, shop_with_promises};
use crate::shop::situations;
use crate::shop::workload;

/// A pricing service and a store that are late, hang, die, or cannot be found, mostly one at a time.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(mut setup: Setup) -> Scenario {
    // An order at a price takes a request to each of them.
    setup.operations = workload::dishonest_operation;
    setup.api.pricing_timeout = millis(700);
    let policy = http_policy(&setup);
    shop_with_promises("service_to_service", setup)
        .fault(
            fault::latency(millis(50)..millis(400), "api", "pricing").every(secs(3)..secs(9)).lasting(secs(1)..secs(4)),
        )
        .fault(fault::kill("pricing").every(secs(5)..secs(15)).lasting(secs(1)..secs(4)))
        .fault(fault::output_stall("pricing").every(secs(5)..secs(15)).lasting(secs(1)..secs(4)))
        .fault(fault::hold("api", "store").every(secs(4)..secs(12)).lasting(millis(300)..secs(2)))
        .fault(fault::kill("store").every(secs(6)..secs(15)).lasting(millis(200)..secs(1)))
        .fault(fault::dns_slow(millis(500), "api", "store").every(secs(6)..secs(15)).lasting(secs(1)..secs(4)))
        .check(policy.work_ends_with_its_caller().if_any())
        .sometimes("an order was placed while pricing was down", situations::an_order_was_placed_without_pricing)
        .sometimes("what was left of a call's time was passed on", situations::the_rest_of_the_time_was_passed_on)
}
