//! Slow reads: a read that takes long is asked of another server as well, and the first answer counts; an order is never asked
//! twice for that.

use squall::check::http::hedges_within_budget;
use squall::prelude::*;

use crate::shop::hedge::HedgeRules;
use crate::shop::simulated::{Setup, shop_with_promises};
use crate::shop::situations;
use crate::shop::workload;

/// Buyers who order and read their orders, while some servers are slow, hang or cannot be reached quickly.
pub fn scenario() -> Scenario {
    changed(|_, _| ())
}

/// The same with a changed setup and changed rules.
pub fn changed(change: fn(&mut Setup, &mut HedgeRules)) -> Scenario {
    let (mut setup, mut rules) = (Setup::default(), HedgeRules::default());
    setup.operations = workload::order_or_read;
    setup.thinking_ms = 200..900;
    change(&mut setup, &mut rules);
    setup.gateway.hedges = Some(rules);
    let promised = HedgeRules::default();
    shop_with_promises("slow_reads", setup)
        .fault(fault::output_stall(one("api")).every(secs(3)..secs(9)).lasting(millis(300)..secs(2)))
        .fault(
            fault::latency(millis(100)..millis(500), "gateway", one("api"))
                .every(secs(3)..secs(9))
                .lasting(secs(1)..secs(5)),
        )
        .fault(fault::hold(one("api"), "store").every(secs(3)..secs(9)).lasting(millis(300)..secs(1)))
        .fault(fault::kill(one("api")).every(secs(8)..secs(20)).lasting(secs(1)..secs(4)))
        .check(hedges_within_budget(secs(10), promised.ratio, promised.burst))
        .sometimes("a read was asked of two servers at once", situations::a_read_was_asked_of_two_servers)
        .sometimes("the server that was asked second answered first", situations::the_second_server_answered_first)
}
