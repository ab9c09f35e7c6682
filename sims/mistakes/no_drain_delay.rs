//! A server that is asked to stop stops accepting at once, before balancers have noticed.

use std::time::Duration;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::graceful_shutdown;

pub fn mistake() -> Mistake {
    changed("no_drain_delay", graceful_shutdown::with, |setup| setup.api.serve.drain_delay = Duration::ZERO)
        .breaks("S1")
        .breaks("S4")
        .in_part("the api servers' shutdown")
}
