//! A session is kept in the memory of the server that began it, and its holder is sent there again: nobody notices, until that server
//! is restarted.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::stateless_restarts;
use crate::shop::api_config::SessionsIn;

pub fn mistake() -> Mistake {
    changed("sticky_session_in_memory", stateless_restarts::with, |setup| {
        setup.api.sessions = SessionsIn::Memory;
        setup.gateway.sticky = true;
    })
    .breaks("S3")
    .in_part("the api servers' sessions")
}
