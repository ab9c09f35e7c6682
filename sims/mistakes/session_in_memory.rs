//! A session is kept in the memory of the server that began it.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::stateless_restarts;

pub fn mistake() -> Mistake {
    changed("session_in_memory", stateless_restarts::with, |setup| setup.api.mistakes.session_in_memory = true)
        .breaks("S3")
        .in_part("the api servers' sessions")
}
