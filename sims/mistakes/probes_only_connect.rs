//! A probe is content with a connection, which the kernel of a hanging process accepts as well.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::health_checks;
use crate::shop::gateway::Probe;

pub fn mistake() -> Mistake {
    changed("probes_only_connect", health_checks::with, |setup| setup.gateway.probe = Probe::Connection)
        .breaks("H1")
        .in_part("the gateway's probes")
}
