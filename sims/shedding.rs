//! Shedding: when servers refuse much, the gateway refuses a share itself, before it asks them; soon after the rush everybody is served
//! again.

use squall::prelude::*;

use super::overload::rush;
use crate::shop::simulated::Setup;
use crate::shop::situations;
use crate::shop::throttle::ThrottleRules;

/// The rush of `overload`, with a gateway that sheds.
pub fn scenario() -> Scenario {
    let mut setup = Setup::default();
    setup.gateway.throttle = Some(ThrottleRules::default());
    // The gateway refuses by chance, also while a server has just become free, which costs some of the goodput.
    rush("shedding", setup, 0.6).sometimes(
        "the gateway refused a request without asking, as the servers refused too many",
        situations::a_gateway_refused_without_asking,
    )
}
