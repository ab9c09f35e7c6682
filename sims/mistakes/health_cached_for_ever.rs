//! A backend that was healthy once is never probed again.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::health_checks;

pub fn mistake() -> Mistake {
    changed("health_cached_for_ever", health_checks::with, |setup| {
        setup.gateway.mistakes.caches_health_forever = true;
    })
    .breaks("H1")
    .in_part("the gateway's probes")
}
