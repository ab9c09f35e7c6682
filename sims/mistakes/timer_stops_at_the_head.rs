//! An attempt's timer stops when the head of the response arrives.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::timeouts;

pub fn mistake() -> Mistake {
    changed("timer_stops_at_the_head", timeouts::with, |setup| setup.client.mistakes.timer_stops_at_head = true)
        .breaks("T4")
        .in_part("the client's timer")
}
