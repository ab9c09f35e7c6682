//! Waits are spread until they reach their cap, where all are equally long.

use squall::prelude::*;
use squall::scenario::Mistake;

use crate::scenarios::retries;
use crate::shop::retry::Jitter;
use crate::shop::simulated::Setup;

pub fn mistake() -> Mistake {
    Mistake::new("jitter_vanishes_at_the_cap", with(Jitter::Full), with(Jitter::VanishesAtCap))
        .breaks("R4")
        .in_part("the client's waits at their cap")
}

/// With many buyers, and a cap that the second wait reaches.
fn with(jitter: Jitter) -> Scenario {
    retries::with(Setup::changed(|setup| {
        setup.buyers = 10;
        setup.client.backoff_cap = setup.client.backoff_base * 2;
        setup.client.jitter = jitter;
    }))
}
