//! Clients that leave: whoever dies, hangs or is cut off in the middle of a call leaves nothing behind: no order twice, no
//! connection, and no work that nobody waits for.

use squall::prelude::*;

use crate::shop::simulated::{Setup, http_policy, shop_with_promises};
use crate::shop::situations;
use crate::shop::workload;

/// Buyers who die while their orders are on the way, also without notice, who are paused, and whose calls are cut off.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(mut setup: Setup) -> Scenario {
    // An order at a price takes two requests, one after the other: its buyer may leave in between.
    setup.operations = workload::dishonest_operation;
    setup.api.pricing_timeout = millis(700);
    // Whoever leaves takes nobody else's answer along.
    setup.api.coalesces_prices = true;
    let policy = http_policy(&setup);
    shop_with_promises("clients_that_leave", setup)
        .link_latency("api", "pricing", millis(40)..millis(100))
        .fault(fault::kill("buyer").at_message("api", "pricing", "GET /price").lasting(millis(100)..secs(2)))
        .fault(fault::kill("buyer").at_message("gateway", "api", "POST /orders").lasting(millis(100)..secs(2)))
        .fault(fault::power_off("buyer").at_message("api", "store", "POST /orders").lasting(millis(300)..secs(3)))
        .fault(fault::kill("buyer").every(secs(3)..secs(9)).lasting(millis(100)..secs(2)))
        .fault(fault::pause("buyer").every(secs(4)..secs(12)).lasting(millis(300)..secs(6)))
        .fault(fault::partition("buyer", "gateway").every(secs(4)..secs(12)).lasting(millis(500)..secs(4)))
        .fault(fault::hold("api", "store").every(secs(3)..secs(9)).lasting(millis(500)..secs(2)))
        .check(policy.work_ends_with_its_caller().if_any())
        .sometimes("an order took effect after its client had died", situations::an_order_outlived_its_client)
        .sometimes("a buyer left while its order was on the way", situations::a_buyer_left_in_the_middle_of_a_call)
}
