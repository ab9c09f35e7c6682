//! A session is kept in the memory of the server that began it, and the next request goes to another.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::stateless_restarts;
use crate::shop::api_config::SessionsIn;

pub fn mistake() -> Mistake {
    changed("session_in_memory", stateless_restarts::with, |setup| setup.api.sessions = SessionsIn::Memory)
        .breaks("S3")
        .in_part("the api servers' sessions")
}
