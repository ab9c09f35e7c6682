//! Sticky sessions: a token that a stateful server has issued names that server, so that a balancer can send its holder there again,
//! as HAProxy and Apache's mod_jk do with the prefix of a cookie.
//!
//! Owns the format `<server>~<session>`, and the sessions that a server keeps in its memory. They end with its process: a stateless
//! server, whose tokens say everything, has nothing to lose.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::message::new_key;

/// The most sessions that a server remembers. The oldest is forgotten first, as nothing tells which is still in use.
const REMEMBERED_LIMIT: usize = 10_000;

/// The server that the bearer of this request's token has to be sent to, if it names one.
pub fn server_of(headers: &HeaderMap) -> Option<&str> {
    let token = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    token.split_once('~').map(|(server, _)| server)
}

/// The sessions in the memory of one server.
#[derive(Debug)]
pub struct Sessions {
    server: String,
    remembered: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// The user of each token.
    users: BTreeMap<String, String>,
    /// The tokens, the oldest first.
    tokens: VecDeque<String>,
}

impl Sessions {
    /// No sessions yet; tokens name this server.
    pub fn new(server: &str) -> Sessions {
        Sessions { server: server.to_owned(), remembered: Mutex::default() }
    }

    /// Begins a session of a user and returns its token.
    pub fn begin(&self, user: &str) -> String {
        let token = format!("{}~{}", self.server, new_key());
        let mut remembered = self.lock();
        if remembered.tokens.len() >= REMEMBERED_LIMIT
            && let Some(oldest) = remembered.tokens.pop_front()
        {
            remembered.users.remove(&oldest);
        }
        remembered.tokens.push_back(token.clone());
        remembered.users.insert(token.clone(), user.to_owned());
        token
    }

    /// The user whose session this is, if this server began it in this life.
    pub fn user(&self, token: &str) -> Option<String> {
        self.lock().users.get(token).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered.lock().expect("no holder of the sessions panics")
    }
}
