//! A server believes the price that a buyer's program has computed.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::trust;

pub fn mistake() -> Mistake {
    changed("price_of_the_client", trust::with, |setup| setup.api.price_tolerance_cents = u64::MAX)
        .breaks("X1")
        .in_part("the api servers' look at prices")
}
