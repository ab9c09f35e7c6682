//! Sticky sessions: what a server keeps in its memory is found again while it lives, as tokens name it; gateways, which come and
//! go, keep nothing. The mistake `sticky_session_in_memory` shows what a restart of the server costs.

use squall::prelude::*;

use crate::shop::api_config::SessionsIn;
use crate::shop::served::answers_are_about_who_asked;
use crate::shop::simulated::{Setup, shop_with_promises};
use crate::shop::situations;
use crate::shop::workload;

/// Buyers who log in and ask who they are, while gateways die and the network is slow and loses messages.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup, but for the load.
pub fn with(mut setup: Setup) -> Scenario {
    (setup.operations, setup.thinking_ms) = (workload::session_operation, 100..900);
    (setup.api.sessions, setup.gateway.sticky) = (SessionsIn::Memory, true);
    shop_with_promises("sticky_sessions", setup)
        .fault(fault::kill("gateway").every(secs(3)..secs(9)).lasting(millis(200)..secs(2)))
        .fault(fault::loss(0.1, "buyer", "gateway").every(secs(3)..secs(9)).lasting(secs(1)..secs(4)))
        .fault(
            // Less than a probe may take, or the gateway would send the holders of sessions to others.
            fault::latency(millis(20)..millis(120), "gateway", "api").every(secs(3)..secs(9)).lasting(secs(1)..secs(4)),
        )
        .check(answers_are_about_who_asked())
        .sometimes(
            "a session was found again by a gateway that did not exist when it began",
            situations::a_session_outlived_a_gateway,
        )
}
