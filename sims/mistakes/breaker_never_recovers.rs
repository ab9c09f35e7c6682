//! A breaker whose probe was lost never allows another one.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::degradation;

pub fn mistake() -> Mistake {
    changed("breaker_never_recovers", degradation::with, |setup| setup.api.breaker.when_cancelled = |_| ())
        .breaks("B3")
        .in_part("the breaker's probes")
}
