//! A backend that failed once is never used again.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::health_checks;

pub fn mistake() -> Mistake {
    changed("never_readmits", health_checks::with, |setup| setup.gateway.rise = u32::MAX)
        .breaks("H2")
        .in_part("the gateway's health counts")
}
