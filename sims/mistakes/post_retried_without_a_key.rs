//! Orders carry no idempotency key and are sent again nevertheless.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::retries;
use crate::shop::client_config::Keys;

pub fn mistake() -> Mistake {
    changed("post_retried_without_a_key", retries::with, |setup| {
        setup.client.keys = Keys::None;
        setup.client.may_be_repeated = |_| true;
        setup.api.requires_key = false;
    })
    .breaks("R6")
    .breaks("I1")
    .in_part("the client's retries")
}
