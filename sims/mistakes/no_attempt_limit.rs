//! A call makes attempts for as long as it has time.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::retries;

pub fn mistake() -> Mistake {
    changed("no_attempt_limit", retries::with, |setup| setup.client.max_attempts = u32::MAX)
        .breaks("R1")
        .in_part("the client's retries")
}
