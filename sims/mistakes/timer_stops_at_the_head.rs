//! An attempt's timer stops when the head of the response arrives.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::timeouts;
use crate::shop::client_config::Timed;

pub fn mistake() -> Mistake {
    changed("timer_stops_at_the_head", timeouts::with, |setup| setup.client.timed = Timed::Head)
        .breaks("T4")
        .in_part("the client's timer")
}
