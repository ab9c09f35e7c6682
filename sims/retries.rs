//! Retries: they are few, safe and paid for, and no order is placed twice.

use squall::prelude::*;

use crate::shop::simulated::{Setup, shop_with_promises};

/// Lossy links, answers that are lost with the server that made them, and a gateway that is away for a while.
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
}
