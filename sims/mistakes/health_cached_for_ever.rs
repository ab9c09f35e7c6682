//! A backend that was healthy once is never probed again.

use std::time::Duration;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::health_checks;

pub fn mistake() -> Mistake {
    changed("health_cached_for_ever", health_checks::with, |setup| {
        setup.gateway.health_interval = Duration::from_secs(24 * 60 * 60);
    })
    .breaks("H1")
    .in_part("the gateway's probes")
}
