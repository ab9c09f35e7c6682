//! The gateway sends failed requests again, as the client does, so that attempts multiply.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::retries;

pub fn mistake() -> Mistake {
    changed("retries_at_each_layer", retries::with, |setup| setup.gateway.upstream_attempts = 4)
        .breaks("R3")
        .in_part("the gateway's retries")
}
