//! The idempotency key is made of the order, so that two equal orders are one.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::idempotency;
use crate::shop::client_config::Keys;

pub fn mistake() -> Mistake {
    changed("key_of_the_body", idempotency::with, |setup| setup.client.keys = Keys::OfTheBody)
        .breaks("I2")
        .in_part("the client's keys")
}
