//! Trust: what a client claims, about itself or a price, is checked by every server, also by one that has just started or whose clock is wrong.

use squall::prelude::*;

use crate::shop::served::{buyers_set_no_prices, forged_tokens_are_refused};
use crate::shop::simulated::{Setup, shop_without_retries};
use crate::shop::situations;
use crate::shop::workload;

/// Buyers who put other names into their tokens and make up prices, while servers die and clocks go wrong.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    shop_without_retries("trust", Setup { operations: workload::dishonest_operation, ..setup })
        .fault(fault::kill(one("api")).every(secs(3)..secs(9)).lasting(millis(200)..secs(3)))
        .fault(fault::clock_skew(90_000, one("api")).every(secs(5)..secs(15)).lasting(secs(2)..secs(10)))
        .fault(fault::partition(one("api"), "store").every(secs(5)..secs(15)).lasting(millis(300)..secs(3)))
        .check(forged_tokens_are_refused())
        .check(buyers_set_no_prices())
        .sometimes("an order at a made-up price was refused", situations::a_made_up_price_was_refused)
        .sometimes(
            "a forged token was refused after a server had been restarted",
            situations::a_forged_token_was_refused,
        )
}
