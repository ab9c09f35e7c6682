//! Uploads: a text of which only a part arrives is not taken for a whole one.

use squall::prelude::*;

use crate::shop::served::notes_are_whole;
use crate::shop::simulated::{Setup, shop_with_promises};
use crate::shop::situations;
use crate::shop::workload;

/// Buyers who write long notes under their orders, over connections that end in the middle of them.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    shop_with_promises("uploads", Setup { operations: workload::writing_operation, ..setup })
        .fault(fault::close(3_000, "buyer", "gateway").every(secs(1)..secs(4)).lasting(secs(1)..secs(3)))
        .fault(fault::reset(6_000, "gateway", one("api")).every(secs(3)..secs(9)).lasting(secs(1)..secs(3)))
        .fault(fault::bandwidth(20_000, 8_000, "buyer", "gateway").every(secs(3)..secs(9)).lasting(secs(1)..secs(4)))
        .fault(fault::kill("store").every(secs(6)..secs(15)).lasting(millis(200)..secs(1)))
        .check(notes_are_whole())
        .sometimes("a note was cut off on its way", situations::a_note_was_cut_off)
}
