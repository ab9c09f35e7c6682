//! Stateless restarts: api servers are deployed one after the other, and now and then one is killed; no buyer notices.

use squall::check;
use squall::prelude::*;

use crate::shop::simulated::{Setup, shop_with_promises};

/// A rolling restart, and kills around it.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    shop_with_promises("stateless_restarts", setup)
        .fault(
            fault::rolling_stop("api", secs(8))
                .begins(secs(1)..secs(4))
                .down(millis(200)..secs(2))
                .pause(secs(4)..secs(6)),
        )
        .fault(fault::kill(one("api")).once(secs(42)..secs(48)).lasting(millis(200)..secs(3)))
        .check(check::no_operation_fails())
        .run_for(secs(50))
}
