//! Each attempt of an order carries a new idempotency key.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::retries;
use crate::shop::client_config::Keys;

pub fn mistake() -> Mistake {
    changed("new_key_for_each_attempt", retries::with, |setup| setup.client.keys = Keys::OfTheAttempt)
        .breaks("I5")
        .breaks("I1")
        .in_part("the client's retries")
}
