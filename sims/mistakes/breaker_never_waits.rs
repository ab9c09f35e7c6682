//! A breaker that asks again at once whether what it guards has recovered.

use std::time::Duration;

use squall::scenario::Mistake;

use crate::scenarios::degradation;
use crate::shop::simulated::Setup;

pub fn mistake() -> Mistake {
    Mistake::new(
        "breaker_never_waits",
        degradation::scenario(),
        degradation::with_backoff(Setup::default(), Duration::from_millis(1)),
    )
    .breaks("B1")
    .in_part("the breaker's backoff")
}
