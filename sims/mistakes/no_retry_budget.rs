//! Retries are limited for each call, but not for all calls together.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::retries;

pub fn mistake() -> Mistake {
    changed("no_retry_budget", retries::with, |setup| setup.client.retry_burst = f64::INFINITY)
        .breaks("R2")
        .in_part("the client's retry budget")
}
