//! The client sends requests again that the server has called wrong (400, 422).

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::idempotency;
use crate::shop::retry::is_transient;

pub fn mistake() -> Mistake {
    changed("retries_on_client_errors", idempotency::with, |setup| {
        setup.client.retried_statuses = |status| is_transient(status) || matches!(status, 400 | 422)
    })
    .breaks("R7")
    .in_part("the client's retries")
}
