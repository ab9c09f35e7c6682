//! The gateway's view of its backends: which are healthy, and which is next.
//!
//! Owns the probe counts, the panic threshold and the round-robin turn. It sends nothing itself.

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
    /// A backend with this host name and port.
    pub fn new(name: impl Into<String>, port: u16) -> Backend {
        Backend { name: name.into(), port }
    }
}

/// The backends and the health of each.
pub struct Pool {
    members: Vec<Member>,
    turn: AtomicUsize,
    rules: HealthRules,
    observer: Observer,
}

/// When the health of a backend changes, and when it no longer counts.
#[derive(Clone, Copy, Debug)]
pub struct HealthRules {
    /// This many failed probes in a row eject a backend.
    pub fall: u32,
    /// This many successful probes in a row bring it back.
    pub rise: u32,
    /// When fewer than this share of the backends is healthy, all are used.
    pub panic_threshold: f64,
}

/// One backend and its health.
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
    /// A pool that considers all backends healthy until probes say otherwise.
    pub fn new(backends: &[Backend], rules: HealthRules, observer: Observer) -> Pool {
        let members = backends.iter().map(|backend| Member {
            name: backend.name.clone(),
            authority: authority(&backend.name, backend.port),
            health: Mutex::new(Health { healthy: true, contradictions: 0 }),
        });
        Pool { members: members.collect(), turn: AtomicUsize::new(0), rules, observer }
    }

    /// The number of backends, healthy or not.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The backend at this index in the configuration.
    pub fn member(&self, index: usize) -> &Member {
        &self.members[index]
    }

    /// The backend whose turn it is; the one to avoid only if there is no other.
    ///
    /// When fewer than the panic threshold are healthy, all are used: it is then more likely that the probes are wrong than
    /// that most servers are down, and wrong probes must not overload the few that are left (as in Envoy).
    pub fn next(&self, avoid: Option<usize>) -> Option<usize> {
        let healthy = self.members.iter().filter(|member| member.is_healthy()).count();
        let panics = (healthy as f64) < self.rules.panic_threshold * self.members.len() as f64;
        let usable = if panics { self.members.len() } else { healthy };
        // Turns count only usable backends; otherwise the neighbour of an ejected one would get its share as well.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(usable)?;
        let candidates = (0..self.members.len()).filter(|&index| panics || self.members[index].is_healthy());
        let mut candidates = candidates.cycle().skip(turn).take(usable);
        let first = candidates.next()?;
        if Some(first) == avoid { Some(candidates.next().unwrap_or(first)) } else { Some(first) }
    }

    /// Records a probe's result.
    pub fn record_probe(&self, index: usize, ok: bool) {
        let member = &self.members[index];
        self.observer.probed(&member.name, ok);
        let mut health = member.health.lock().expect("no holder of a health panics");
        if ok == health.healthy {
            health.contradictions = 0;
            return;
        }
        health.contradictions += 1;
        let needed = if ok { self.rules.rise } else { self.rules.fall };
        if health.contradictions < needed {
            return;
        }
        *health = Health { healthy: ok, contradictions: 0 };
        drop(health);
        tracing::warn!(backend = member.name.as_str(), healthy = ok, "health changed");
        self.observer.health_changed(&member.name, ok);
    }
}

impl Member {
    /// Whether the probes consider it healthy.
    pub fn is_healthy(&self) -> bool {
        self.health.lock().expect("no holder of a health panics").healthy
    }
}
