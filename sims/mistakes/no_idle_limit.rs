//! Clients keep idle connections for ever.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::pooling;

pub fn mistake() -> Mistake {
    changed("no_idle_limit", pooling::with, |setup| {
        setup.client.pool.idle_limit = None;
        setup.gateway.pool.idle_limit = None;
    })
    .breaks("P2")
    .in_part("the pools of connections")
}
