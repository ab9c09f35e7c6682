//! A call has no deadline: it goes on for as long as its attempts do.

use std::time::Duration;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::timeouts;

pub fn mistake() -> Mistake {
    changed("no_deadline", timeouts::with, |setup| {
        setup.client.deadline = Duration::from_secs(24 * 60 * 60);
        setup.client.max_attempts = u32::MAX;
        setup.client.retry_burst = f64::INFINITY;
    })
    .breaks("T1")
    .in_part("the client's deadline")
}
