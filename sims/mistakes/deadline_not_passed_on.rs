//! An api server gives the store its own limit instead of what is left of the caller's time.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::timeouts;

pub fn mistake() -> Mistake {
    changed("deadline_not_passed_on", timeouts::with, |setup| setup.api.mistakes.ignores_deadline = true)
        .breaks("T3")
        .in_part("the api servers' requests to the store")
}
