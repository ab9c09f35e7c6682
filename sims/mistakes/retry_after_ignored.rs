//! The client does not wait for as long as a server asks with `Retry-After`.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::partitions;

pub fn mistake() -> Mistake {
    changed("retry_after_ignored", partitions::with, |setup| setup.client.respects_retry_after = false)
        .breaks("R5")
        .in_part("the client's waits")
}
