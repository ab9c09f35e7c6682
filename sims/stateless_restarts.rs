//! Stateless restarts: api servers restart one after another, one is killed now and then, and their clocks are
//! sometimes wrong; no buyer notices.

use squall::check;
use squall::prelude::*;

use crate::shop::simulated::{Setup, shop_without_retries};
use crate::shop::situations;

/// A rolling restart followed by a kill, and servers whose clocks are 90 seconds fast or slow.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    shop_without_retries("stateless_restarts", setup)
        .fault(
            fault::rolling_stop("api", secs(8))
                .begins(secs(1)..secs(4))
                .down(millis(200)..secs(2))
                .pause(secs(4)..secs(6)),
        )
        .fault(fault::kill(one("api")).once(secs(42)..secs(48)).lasting(millis(200)..secs(3)))
        .fault(fault::clock_skew(90_000, one("api")).every(secs(5)..secs(15)).lasting(secs(2)..secs(10)))
        .fault(fault::clock_skew(-90_000, one("api")).every(secs(5)..secs(15)).lasting(secs(2)..secs(10)))
        .check(check::no_operation_fails())
        .sometimes(
            "a request was sent to a server that was stopping",
            situations::a_request_was_sent_to_a_stopping_server,
        )
        .sometimes(
            "a token was accepted by a server other than its issuer",
            situations::a_token_was_accepted_by_another_server,
        )
        .sometimes(
            "an order was read from a server other than the one that took it",
            situations::an_order_was_read_from_another_server,
        )
        .run_for(secs(50))
}
