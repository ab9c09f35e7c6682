//! When all probes fail, the gateway has no backend, although most of them work.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::health_checks;

pub fn mistake() -> Mistake {
    changed("no_panic_threshold", health_checks::with, |setup| setup.gateway.panic_threshold = 0.0)
        .breaks("H4")
        .in_part("the gateway's choice of a backend")
}
