//! A breaker takes a call whose caller went away for a failure of what it guards.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::degradation;
use crate::shop::breaker::Permit;

pub fn mistake() -> Mistake {
    changed("breaker_counts_cancellations", degradation::with, |setup| {
        setup.api.breaker.when_cancelled = Permit::fail;
    })
    .breaks("B4")
    .in_part("the breaker's count of failures")
}
