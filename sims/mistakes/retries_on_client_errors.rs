//! The client sends requests again that the server has called wrong (400, 422).

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::idempotency;

pub fn mistake() -> Mistake {
    changed("retries_on_client_errors", idempotency::with, |setup| setup.client.mistakes.retries_rejections = true)
        .breaks("R7")
        .in_part("the client's retries")
}
