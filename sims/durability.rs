//! Durability: an acknowledged order is never lost, whatever happens to the store's machine.

use squall::prelude::*;

use crate::shop::served::orders_are_whole;
use crate::shop::simulated::{Setup, orders, shop_with_promises};
use crate::shop::situations;

/// A store that loses power or is killed, again and again.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    shop_with_promises("durability", setup)
        .fault(fault::power_off("store").every(secs(2)..secs(8)).lasting(millis(300)..secs(3)))
        .fault(fault::kill("store").every(secs(4)..secs(12)).lasting(millis(200)..secs(2)))
        .fault(fault::partition(one("api"), "store").every(secs(5)..secs(15)).lasting(millis(200)..secs(2)))
        .check(orders().acknowledged_survive_crashes())
        .check(orders_are_whole())
        .sometimes(
            "the store died between a commit and its acknowledgement",
            situations::the_store_died_between_a_commit_and_its_acknowledgement,
        )
        .sometimes("an order outlived the death of the store", situations::an_order_outlived_the_death_of_the_store)
        .sometimes(
            "the store lost power within 100 ms of an acknowledgement",
            situations::power_was_lost_right_after_an_acknowledgement,
        )
}
