//! An attempt gets its whole timeout, even when less time is left for the call.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::timeouts;

pub fn mistake() -> Mistake {
    changed("attempt_ignores_the_deadline", timeouts::with, |setup| {
        setup.client.attempt_limit = |timeout, _| timeout;
    })
    .breaks("T2")
    .in_part("the client's attempts")
}
