//! A balancer sends requests to the server with the fewest in flight, which is the one that fails at once.

use squall::prelude::*;
use squall::scenario::Mistake;

use crate::scenarios::balancing;

pub fn mistake() -> Mistake {
    Mistake::new("least_request_feeds_the_failing_host", balancing::scenario(), balancing::with(secs(0), |_| ()))
        .breaks("H6")
        .in_part("the gateway's choice of a backend")
}
