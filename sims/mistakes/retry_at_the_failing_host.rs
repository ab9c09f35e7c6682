//! The gateway sends a request that failed again, and prefers the server with the fewest requests in flight: the same one.

use squall::prelude::*;
use squall::scenario::Mistake;

use crate::scenarios::balancing;

pub fn mistake() -> Mistake {
    // A client that makes fewer attempts leaves some to the gateway.
    let right = balancing::with(secs(1), |setup| (setup.client.max_attempts, setup.gateway.upstream_attempts) = (2, 2));
    let wrong = balancing::with(secs(0), |setup| {
        (setup.client.max_attempts, setup.gateway.upstream_attempts) = (2, 2);
        setup.gateway.avoided = |_| None;
    });
    Mistake::new("retry_at_the_failing_host", right, wrong).breaks("R8").in_part("the gateway's second attempts")
}
