//! Idempotency: a key stands for one order, however often it is sent, and what must be refused is refused once.

use squall::prelude::*;

use crate::shop::served::a_key_stands_for_one_order;
use crate::shop::simulated::{Setup, shop_with_promises};
use crate::shop::situations;
use crate::shop::workload;

/// Buyers who use keys again, also for other orders, and place orders for nothing, while answers are lost.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    let careless = Setup { operations: workload::careless_operation, ..setup };
    shop_with_promises("idempotency", careless)
        .fault(fault::loss(0.15, "buyer", "gateway").every(secs(2)..secs(8)).lasting(secs(2)..secs(6)))
        .fault(fault::kill("gateway").every(secs(5)..secs(15)).lasting(millis(300)..secs(2)))
        .fault(fault::kill(one("api")).every(secs(3)..secs(9)).lasting(millis(200)..secs(2)))
        .fault(fault::kill("store").every(secs(6)..secs(15)).lasting(millis(200)..secs(1)))
        .fault(fault::reset(60, "gateway", one("api")).every(secs(3)..secs(9)).lasting(millis(100)..millis(600)))
        .check(a_key_stands_for_one_order())
        .sometimes("an order with a key that stood for another one was refused", situations::another_body_was_refused)
        .sometimes("an order for nothing was refused", situations::an_order_for_nothing_was_refused)
        .sometimes("an answer was lost after its effect", situations::an_answer_was_lost_after_its_effect)
}
