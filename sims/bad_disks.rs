//! Bad disks: the store serves correct data or refuses, whatever its disk does.

use squall::fault::DiskCalls;
use squall::prelude::*;

use crate::shop::served::{orders_are_whole, served_right_or_refused};
use crate::shop::simulated::{Setup, orders, shop_with_promises};
use crate::shop::situations;

/// A store whose disk fails, fills up, corrupts bits and slows down, and whose machine loses power.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup, except for the load and the cache: many orders make the store's file grow, and a small
/// cache makes the store read it.
pub fn with(mut setup: Setup) -> Scenario {
    setup.store.cache_bytes = 16 * 1024;
    shop_with_promises("bad_disks", Setup { buyers: 6, thinking_ms: 100..600, ..setup })
        .supervise("store", millis(300))
        .fault(fault::disk_errors(0.2, DiskCalls::All, "store").every(secs(4)..secs(12)).lasting(millis(100)..secs(2)))
        .fault(
            fault::disk_errors(0.5, DiskCalls::Syncs, "store").every(secs(4)..secs(12)).lasting(millis(100)..secs(2)),
        )
        .fault(fault::disk_corruption(0.1, "store").every(secs(4)..secs(12)).lasting(millis(300)..secs(4)))
        // The database doubles its file now and then, mostly early in the run.
        .fault(fault::disk_full(0, "store").once(secs(1)..secs(6)).lasting(secs(4)..secs(12)))
        .fault(
            fault::disk_slow(millis(1), millis(1), millis(40), "store")
                .every(secs(6)..secs(15))
                .lasting(secs(1)..secs(3)),
        )
        .fault(fault::power_off("store").every(secs(4)..secs(12)).lasting(millis(200)..secs(1)))
        .check(served_right_or_refused())
        .check(orders_are_whole())
        .check(orders().acknowledged_survive_crashes())
        .sometimes(
            "the store exited because its disk had failed, and served again",
            situations::a_failed_store_served_again,
        )
        .sometimes("an order was refused because the disk was full", situations::an_order_met_a_full_disk)
        .sometimes(
            "the store lost power after its disk had failed",
            situations::power_was_lost_after_the_disk_had_failed,
        )
}
