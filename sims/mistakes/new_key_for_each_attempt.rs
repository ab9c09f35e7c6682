//! Each attempt of an order carries a new idempotency key.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::retries;

pub fn mistake() -> Mistake {
    changed("new_key_for_each_attempt", retries::with, |setup| setup.client.mistakes.new_key_per_attempt = true)
        .breaks("I5")
        .breaks("I1")
        .in_part("the client's retries")
}
