//! A server closes idle connections sooner than its client, who may be about to use them.

use std::time::Duration;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::pooling;

pub fn mistake() -> Mistake {
    changed("client_idle_limit_above_the_servers", pooling::with, |setup| {
        setup.api.serve.idle_limit = Duration::from_secs(3);
    })
    .breaks("S1")
    .in_part("the pools of connections")
}
