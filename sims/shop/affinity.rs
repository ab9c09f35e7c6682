//! Sticky sessions: a token that a stateful server has issued names that server, so that a balancer can send its holder there again,
//! as HAProxy and Apache's mod_jk do with the prefix of a cookie.
//!
//! Owns the format `<server>~<session>`, and the sessions that a server keeps in its memory. They end with its process: a stateless
//! server, whose tokens say everything, has nothing to lose.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::message::new_key;

/// The most sessions that a server remembers; the oldest names go first, as nothing tells which is still in use.
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
    users: Mutex<BTreeMap<String, String>>,
}

impl Sessions {
    /// No sessions yet; tokens name this server.
    pub fn new(server: &str) -> Sessions {
        Sessions { server: server.to_owned(), users: Mutex::default() }
    }

    /// Begins a session of a user and returns its token.
    pub fn begin(&self, user: &str) -> String {
        let token = format!("{}~{}", self.server, new_key());
        let mut users = self.lock();
        if users.len() >= REMEMBERED_LIMIT {
            users.pop_first();
        }
        users.insert(token.clone(), user.to_owned());
        token
    }

    /// The user whose session this is, if this server began it in this life.
    pub fn user(&self, token: &str) -> Option<String> {
        self.lock().get(token).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.users.lock().expect("no holder of the sessions panics")
    }
}
