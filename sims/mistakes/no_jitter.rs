//! Callers that failed together wait equally long, and come back together.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::retries;
use crate::shop::retry::Jitter;

pub fn mistake() -> Mistake {
    changed("no_jitter", retries::with, |setup| setup.client.jitter = Jitter::None)
        .breaks("R4")
        .in_part("the client's waits")
}
