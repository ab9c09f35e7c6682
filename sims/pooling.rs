//! Pooling: connections are used again while they are good, and closed when they are not needed; no call pays for it.

use squall::check;
use squall::prelude::*;

use crate::shop::simulated::{Setup, shop_without_retries};

/// Buyers who think for long, so that connections become idle, and who make one attempt, so that nothing hides a call that was
/// sent on a connection that was about to close.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup, but for the load.
pub fn with(mut setup: Setup) -> Scenario {
    setup.buyers = 8;
    setup.thinking_ms = 200..9_000;
    setup.client.max_attempts = 1;
    setup.api.pricing_timeout = millis(700);
    shop_without_retries("pooling", setup)
        .latency(millis(30)..millis(60))
        .fault(
            fault::latency(millis(20)..millis(60), "gateway", "api").every(secs(3)..secs(9)).lasting(secs(1)..secs(4)),
        )
        .check(check::no_operation_fails())
        .run_for(secs(45))
}
