//! Ejection: servers that answer their probes but fail what they are asked get nothing for a while, unless all of them do.

use squall::check::HealthPolicy;
use squall::prelude::*;

use crate::shop::outlier::OutlierRules;
use crate::shop::simulated::{Setup, health_policy, shop_with_promises};
use crate::shop::situations;

/// The longest ejection.
const LONGEST: std::time::Duration = secs(6);

/// Servers that cannot find the store, one or all of them, a store that is away, and servers that die.
pub fn scenario() -> Scenario {
    changed(|_, _| ())
}

/// The same with a changed setup and changed rules.
pub fn changed(change: fn(&mut Setup, &mut OutlierRules)) -> Scenario {
    let mut setup = Setup::default();
    let mut rules = OutlierRules { base: secs(3), longest: LONGEST, ..OutlierRules::default() };
    (setup.buyers, setup.thinking_ms) = (8, 300..1_200);
    // A connection for each request, so that a server that cannot find the store fails at once.
    setup.api.pool.idle_per_host = 0;
    change(&mut setup, &mut rules);
    setup.gateway.outliers = Some(rules);
    let policy = HealthPolicy { slack: health_policy().slack + LONGEST, ..health_policy() };
    shop_with_promises("ejection", setup)
        .fault(fault::dns_not_found(one("api"), "store").every(secs(3)..secs(8)).lasting(secs(3)..secs(9)))
        .fault(fault::dns_not_found("api", "store").every(secs(8)..secs(20)).lasting(secs(2)..secs(6)))
        .fault(fault::kill("store").every(secs(8)..secs(20)).lasting(secs(1)..secs(4)))
        .fault(fault::kill(one("api")).every(secs(8)..secs(20)).lasting(secs(1)..secs(5)))
        .check(policy.clone().some_backend_is_tried())
        .check(policy.clone().few_are_ejected(OutlierRules::default().most).if_any())
        .check(policy.requests_to_recovered_backends())
        .sometimes("a server was ejected for its answers", situations::a_server_was_ejected_for_its_answers)
        .sometimes(
            "a server was kept although it failed, because another was ejected",
            situations::a_failing_server_was_kept,
        )
}
