//! The client waits for as long as `Retry-After` asks, even beyond the deadline of the call.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::partitions;

pub fn mistake() -> Mistake {
    changed("retry_after_beyond_the_deadline", partitions::with, |setup| {
        setup.client.may_wait = |_, _| true;
    })
    .breaks("T1")
    .in_part("the client's waits")
}
