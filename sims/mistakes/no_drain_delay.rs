//! A server that is asked to stop stops accepting at once, before balancers have noticed.

use std::time::Duration;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::stateless_restarts;

pub fn mistake() -> Mistake {
    changed("no_drain_delay", stateless_restarts::with, |setup| {
        setup.api.serve.drain_delay = Duration::ZERO;
        setup.api.serve.drain_limit = Some(Duration::ZERO);
        setup.client.max_attempts = 1;
    })
    .breaks("S1")
    .in_part("the api servers' shutdown")
}
