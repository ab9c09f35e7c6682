//! Protocols: buyers speak HTTP/1.0 with a connection for each request, HTTP/1.1 with connections that are kept, or HTTP/2, and
//! the gateway and the servers HTTP/2; the promises are the same.

use squall::prelude::*;

use crate::shop::pool::Protocol;
use crate::shop::simulated::{Setup, shop_with_promises};
use crate::shop::situations;

/// Servers and gateways that die, and answers that are late, while many requests share connections.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup, but for what is spoken.
pub fn with(mut setup: Setup) -> Scenario {
    (setup.buyers, setup.thinking_ms) = (9, 100..900);
    setup.buyers_speak = |buyer| [Protocol::Http10, Protocol::Http1, Protocol::Http2][buyer as usize % 3];
    setup.gateway.serve.protocol = Protocol::Any;
    (setup.gateway.pool.protocol, setup.api.serve.protocol) = (Protocol::Http2, Protocol::Http2);
    shop_with_promises("protocols", setup)
        .fault(fault::kill(one("api")).every(secs(3)..secs(9)).lasting(millis(200)..secs(3)))
        .fault(fault::kill("gateway").every(secs(6)..secs(15)).lasting(millis(300)..secs(2)))
        .fault(fault::hold("api", "store").every(secs(2)..secs(6)).lasting(millis(800)..secs(2)))
        .fault(fault::reset(60, "buyer", "gateway").every(secs(3)..secs(9)).lasting(millis(100)..millis(600)))
        .fault(fault::loss(0.1, "gateway", "api").every(secs(3)..secs(9)).lasting(secs(1)..secs(4)))
        .sometimes("orders were placed in every version of HTTP", situations::orders_were_placed_in_every_version)
        .sometimes(
            "a request was cancelled among others on its connection",
            situations::a_stream_was_cancelled_among_others,
        )
}
