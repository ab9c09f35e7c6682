//! Lost answers: whatever dies, disconnects or stalls between an effect and its answer, the effect happens once and is
//! not lost.

use squall::fault::here;
use squall::prelude::*;

use crate::shop::simulated::{Setup, orders, shop_with_promises};
use crate::shop::situations;

/// The status line of a successful order's answer, on every hop.
const CREATED: &str = "HTTP/1.1 201";

/// Faults that are triggered after an order has been applied and before its buyer has the answer.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    shop_with_promises("lost_answers", setup)
        .fault(fault::power_off("store").at_event("store", "applied").lasting(millis(300)..secs(2)))
        .fault(fault::kill(here()).at_message("api", "gateway", CREATED).lasting(millis(200)..secs(2)))
        .fault(
            fault::reset(0, here(), "api")
                .one_way()
                .at_message("store", "api", CREATED)
                .lasting(millis(10)..millis(20)),
        )
        .fault(
            fault::close(20, here(), "buyer")
                .one_way()
                .at_message("gateway", "buyer", CREATED)
                .lasting(millis(10)..millis(20)),
        )
        .fault(
            fault::stall(100, here(), "gateway")
                .one_way()
                .at_message("buyer", "gateway", "POST /orders")
                .lasting(millis(500)..secs(3)),
        )
        .fault(
            fault::partition_one_way(here(), "gateway")
                .at_message("api", "gateway", CREATED)
                .lasting(millis(300)..secs(3)),
        )
        .check(orders().acknowledged_survive_crashes())
        .sometimes("an answer was lost after its effect", situations::an_answer_was_lost_after_its_effect)
        .sometimes(
            "the store died between a commit and its acknowledgement",
            situations::the_store_died_between_a_commit_and_its_acknowledgement,
        )
        .sometimes("a retry reached another server", situations::a_retry_reached_another_server)
}
