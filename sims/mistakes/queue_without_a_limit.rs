//! A server lets everybody wait, so that in a rush all wait for so long that nobody is served in time.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::overload;

pub fn mistake() -> Mistake {
    changed("queue_without_a_limit", overload::with, |setup| setup.api.admission.queue = usize::MAX)
        .breaks("O1")
        .breaks("O3")
        .in_part("the queue of the api servers")
}
