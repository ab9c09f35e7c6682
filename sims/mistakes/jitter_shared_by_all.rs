//! Waits are spread, but all callers spread them alike: each has a copy of one generator, as with the backoff of tower 0.5.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::retries;
use crate::shop::retry::Jitter;

pub fn mistake() -> Mistake {
    changed("jitter_shared_by_all", retries::with, |setup| setup.client.jitter = Jitter::SharedByAll)
        .breaks("R4")
        .in_part("the client's waits")
}
