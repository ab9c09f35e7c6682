//! A gateway that probes its backends again as soon as it has an answer.

use std::time::Duration;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::health_checks;

pub fn mistake() -> Mistake {
    changed("probes_without_a_pause", health_checks::with, |setup| setup.gateway.health_interval = Duration::ZERO)
        .breaks("P6")
        .in_part("the gateway's probes")
}
