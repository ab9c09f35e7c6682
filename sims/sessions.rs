//! Sessions: a token that one server has issued is good at every other one, whatever dies and whose clock is wrong, and stands
//! for its user alone; no server keeps anything for it.

use squall::prelude::*;

use crate::shop::served::{answers_are_about_who_asked, forged_tokens_are_refused};
use crate::shop::simulated::{Setup, shop_with_promises};
use crate::shop::situations;
use crate::shop::workload;

/// Buyers who log in, ask who they are and try to be others, while servers die, lose power and have wrong clocks.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup, but for the load.
pub fn with(setup: Setup) -> Scenario {
    shop_with_promises("sessions", Setup { operations: workload::session_operation, thinking_ms: 100..900, ..setup })
        .fault(fault::kill(one("api")).every(secs(2)..secs(6)).lasting(millis(200)..secs(3)))
        .fault(fault::power_off(one("api")).every(secs(4)..secs(12)).lasting(millis(300)..secs(4)))
        .fault(fault::clock_skew(90_000, one("api")).every(secs(5)..secs(15)).lasting(secs(2)..secs(10)))
        .fault(fault::clock_skew(-90_000, one("api")).every(secs(5)..secs(15)).lasting(secs(2)..secs(10)))
        .fault(fault::loss(0.1, "buyer", "gateway").every(secs(3)..secs(9)).lasting(secs(1)..secs(4)))
        .check(answers_are_about_who_asked())
        .check(forged_tokens_are_refused())
        .sometimes(
            "a token was accepted by a server other than its issuer",
            situations::a_token_was_accepted_by_another_server,
        )
        .sometimes(
            "a forged token was refused after a server had been restarted",
            situations::a_forged_token_was_refused,
        )
}
