//! A gateway that asks a second server when the first takes long does so for orders as well, also for those without a key.

use squall::scenario::Mistake;

use crate::scenarios::slow_reads;
use crate::shop::client_config::Keys;

pub fn mistake() -> Mistake {
    // Without keys alone, clients do not repeat their orders, so nothing is wrong yet.
    let right = slow_reads::changed(|setup, _| {
        setup.client.keys = Keys::None;
        setup.api.requires_key = false;
    });
    let wrong = slow_reads::changed(|setup, rules| {
        setup.client.keys = Keys::None;
        setup.api.requires_key = false;
        rules.may_be_asked_twice = |_| true;
    });
    Mistake::new("hedges_writes", right, wrong).breaks("R6").breaks("I1").in_part("the gateway's hedges")
}
