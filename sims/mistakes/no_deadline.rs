//! A call has no deadline: it goes on for as long as its attempts do.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::timeouts;

pub fn mistake() -> Mistake {
    changed("no_deadline", timeouts::with, |setup| {
        setup.client.mistakes.no_deadline = true;
        setup.client.max_attempts = u32::MAX;
        setup.client.retry_ratio = f64::INFINITY;
    })
    .breaks("T1")
    .in_part("the client's deadline")
}
