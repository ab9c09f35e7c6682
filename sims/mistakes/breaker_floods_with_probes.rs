//! A breaker that lets everybody through as soon as it asks whether what it guards has recovered.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::degradation;

pub fn mistake() -> Mistake {
    changed("breaker_floods_with_probes", degradation::with, |setup| setup.api.breaker.probes = u32::MAX)
        .breaks("B2")
        .in_part("the breaker's probes")
}
