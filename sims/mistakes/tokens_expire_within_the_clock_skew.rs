//! Tokens live for less than the clocks of two servers may differ.

use std::time::Duration;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::stateless_restarts;

pub fn mistake() -> Mistake {
    changed("tokens_expire_within_the_clock_skew", stateless_restarts::with, |setup| {
        setup.api.token_lifetime = Duration::from_secs(60);
    })
    .breaks("S3")
    .in_part("the api servers' tokens")
}
