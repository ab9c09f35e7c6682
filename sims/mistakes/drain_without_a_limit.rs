//! A server that stops waits for its clients for as long as they like.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::graceful_shutdown;

pub fn mistake() -> Mistake {
    changed("drain_without_a_limit", graceful_shutdown::with, |setup| setup.api.serve.drain_limit = None)
        .breaks("S2")
        .in_part("the api servers' shutdown")
}
