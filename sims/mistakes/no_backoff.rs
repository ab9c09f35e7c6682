//! A failed attempt is followed by the next one at once.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::retries;
use crate::shop::retry::Jitter;

pub fn mistake() -> Mistake {
    changed("no_backoff", retries::with, |setup| setup.client.jitter = Jitter::NoBackoff)
        .breaks("R4")
        .in_part("the client's waits")
}
