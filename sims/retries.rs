//! Retries: they are few, safe and within their budget, and no order is placed twice.

use squall::prelude::*;

use crate::shop::simulated::{Setup, shop_with_promises};
use crate::shop::situations;

/// Lossy links, servers that die before they have answered (also because they ran out of memory), broken connections,
/// and a gateway that is down for a while.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    shop_with_promises("retries", setup)
        .fault(fault::loss(0.15, "*", "gateway").every(secs(1)..secs(6)).lasting(secs(3)..secs(9)))
        .fault(fault::kill(one("api")).every(secs(2)..secs(6)).lasting(millis(200)..secs(3)))
        .fault(fault::hold("api", "store").every(secs(3)..secs(9)).lasting(millis(800)..secs(2)))
        .fault(fault::kill("gateway").every(secs(6)..secs(15)).lasting(millis(500)..secs(8)))
        .fault(fault::out_of_memory(2, secs(1), "api").every(secs(2)..secs(6)).lasting(secs(3)..secs(9)))
        .fault(fault::reset(60, "gateway", one("api")).every(secs(3)..secs(9)).lasting(millis(100)..millis(600)))
        .fault(fault::close_idle(millis(150), "gateway", "api").every(secs(3)..secs(9)).lasting(secs(1)..secs(3)))
        .fault(fault::half_open("gateway", one("api")).every(secs(3)..secs(9)).lasting(millis(10)..millis(20)))
        .sometimes("a retry reached another server", situations::a_retry_reached_another_server)
        .sometimes("an answer was lost after its effect", situations::an_answer_was_lost_after_its_effect)
        .sometimes("a call made its last attempt", situations::a_call_made_its_last_attempt)
        .sometimes("the retry budget was spent", situations::the_retry_budget_was_spent)
}
