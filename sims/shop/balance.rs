//! The gateway's opinion of its backends: who is healthy, and who is next.
//!
//! Owns the counting of probes, the panic threshold and the turn. Sends nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::http::uri::Authority;

use super::observe::Observer;
use super::pool::authority;

/// A server that the gateway may send requests to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The host's name.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl Backend {
    /// Names a backend.
    pub fn new(name: impl Into<String>, port: u16) -> Backend {
        Backend { name: name.into(), port }
    }
}

/// The backends with what is known of each.
pub struct Pool {
    members: Vec<Member>,
    turn: AtomicUsize,
    fall: u32,
    rise: u32,
    never_readmits: bool,
    observer: Observer,
}

/// One backend with what is known of it.
pub struct Member {
    /// The host's name.
    pub name: String,
    /// Where to send requests.
    pub authority: Authority,
    health: Mutex<Health>,
}

#[derive(Clone, Copy)]
struct Health {
    healthy: bool,
    /// How many probes in a row have contradicted `healthy`.
    contradictions: u32,
}

impl Pool {
    /// Believes that all backends are healthy until probes say otherwise.
    pub fn new(backends: &[Backend], fall: u32, rise: u32, never_readmits: bool, observer: Observer) -> Pool {
        let members = backends.iter().map(|backend| Member {
            name: backend.name.clone(),
            authority: authority(&backend.name, backend.port),
            health: Mutex::new(Health { healthy: true, contradictions: 0 }),
        });
        Pool { members: members.collect(), turn: AtomicUsize::new(0), fall, rise, never_readmits, observer }
    }

    /// How many backends there are, healthy or not.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// A backend by its place in the configuration.
    pub fn member(&self, index: usize) -> &Member {
        &self.members[index]
    }

    /// Whose turn it is, but not the one to avoid if there is another.
    ///
    /// When fewer than half are healthy, all are used: then the probes are more likely to be wrong than so many
    /// servers, and a wrong opinion must not overload the few that are left (Envoy's panic threshold).
    pub fn next(&self, avoid: Option<usize>) -> Option<usize> {
        let healthy = self.members.iter().filter(|member| member.is_healthy()).count();
        let panics = healthy * 2 < self.members.len();
        let usable = if panics { self.members.len() } else { healthy };
        // Turns are counted among the usable alone; else the neighbour of an ejected one would get its share as well.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(usable)?;
        let candidates = (0..self.members.len()).filter(|&index| panics || self.members[index].is_healthy());
        let mut candidates = candidates.cycle().skip(turn).take(usable);
        let first = candidates.next()?;
        if Some(first) == avoid { Some(candidates.next().unwrap_or(first)) } else { Some(first) }
    }

    /// Takes a probe's result into account.
    pub fn record_probe(&self, index: usize, ok: bool) {
        let member = &self.members[index];
        self.observer.probed(&member.name, ok);
        let mut health = member.health.lock().expect("no holder of a health panics");
        if ok == health.healthy {
            health.contradictions = 0;
            return;
        }
        health.contradictions += 1;
        let needed = if ok { self.rise } else { self.fall };
        if health.contradictions < needed || (ok && self.never_readmits) {
            return;
        }
        *health = Health { healthy: ok, contradictions: 0 };
        drop(health);
        tracing::warn!(backend = member.name.as_str(), healthy = ok, "health changed");
        self.observer.health_changed(&member.name, ok);
    }
}

impl Member {
    /// What the probes say.
    pub fn is_healthy(&self) -> bool {
        self.health.lock().expect("no holder of a health panics").healthy
    }
}
