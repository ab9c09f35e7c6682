//! The gateway's view of its backends: which are healthy, and which is next.
//!
//! Owns the probe counts, the panic threshold, the round-robin turn and the load. It sends nothing itself. Who is ejected for
//! its answers is in [`outlier`](super::outlier).

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::http::uri::Authority;
use rand_0_9::seq::IndexedRandom;
use tokio::time::Instant;

use super::observe::Observer;
use super::outlier::{OutlierRules, Outliers};
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
    rules: PoolRules,
    outliers: Option<Outliers>,
    observer: Observer,
}

/// How a backend is chosen among those that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Balancing {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Of some at random, the one with the fewest requests in flight.
    LeastRequest {
        /// Among how many it chooses; two are enough to spread load well ("power of two choices").
        choices: usize,
        /// For this long after a failure, a backend is only chosen when the others have failed as well: a backend that fails
        /// at once has nothing in flight.
        shun_failed_for: Duration,
    },
}

/// How backends are chosen, when the health of one changes, and when it no longer counts.
#[derive(Clone, Copy, Debug)]
pub struct PoolRules {
    /// How a backend is chosen.
    pub balancing: Balancing,
    /// This many failed probes in a row eject a backend.
    pub fall: u32,
    /// This many successful probes in a row bring it back.
    pub rise: u32,
    /// When fewer than this share of the backends is healthy, all are used.
    pub panic_threshold: f64,
    /// When a backend is ejected for its answers, if it ever is.
    pub outliers: Option<OutlierRules>,
}

/// One backend and its health.
pub struct Member {
    /// The host's name.
    pub name: String,
    /// Where to send requests.
    pub authority: Authority,
    health: Mutex<Health>,
    in_flight: AtomicUsize,
    failed_at: Mutex<Option<Instant>>,
}

/// A request to a backend; dropping it, however it ends, takes it off the backend's load.
pub struct InFlight<'a> {
    pool: &'a Pool,
    index: usize,
}

impl InFlight<'_> {
    /// Notes that the request was answered, and not with a failure of the server.
    pub fn succeeded(&self) {
        if let Some(outliers) = &self.pool.outliers {
            outliers.succeeded(self.index);
        }
    }

    /// Notes that the request failed.
    pub fn failed(&self) {
        let member = &self.pool.members[self.index];
        *member.failed_at.lock().expect("no holder of a failure panics") = Some(Instant::now());
        if let Some(lasting) = self.pool.outliers.as_ref().and_then(|outliers| outliers.failed(self.index)) {
            self.pool.observer.ejected(&member.name, lasting);
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.pool.members[self.index].in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy)]
struct Health {
    healthy: bool,
    /// How many probes in a row have contradicted `healthy`.
    contradictions: u32,
}

impl Pool {
    /// A pool that considers all backends healthy until probes say otherwise.
    pub fn new(backends: &[Backend], rules: PoolRules, observer: Observer) -> Pool {
        let members = backends.iter().map(|backend| Member {
            name: backend.name.clone(),
            authority: authority(&backend.name, backend.port),
            health: Mutex::new(Health { healthy: true, contradictions: 0 }),
            in_flight: AtomicUsize::new(0),
            failed_at: Mutex::new(None),
        });
        let outliers = rules.outliers.map(|rules| Outliers::new(rules, backends.len()));
        Pool { members: members.collect(), turn: AtomicUsize::new(0), rules, outliers, observer }
    }

    /// The number of backends, healthy or not.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The backend at this index in the configuration.
    pub fn member(&self, index: usize) -> &Member {
        &self.members[index]
    }

    /// Counts a request to a backend until the result is dropped.
    pub fn begin(&self, index: usize) -> InFlight<'_> {
        self.members[index].in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight { pool: self, index }
    }

    /// The backend that is chosen next; the one to avoid only if there is no other.
    ///
    /// When fewer than the panic threshold may be used, all are: it is then more likely that the probes are wrong than that
    /// most servers are down, and wrong probes must not overload the few that are left (as in Envoy).
    pub fn next(&self, avoid: Option<usize>) -> Option<usize> {
        let all = self.members.len();
        let well: Vec<usize> = (0..all).filter(|index| self.is_well(*index)).collect();
        let panics = (well.len() as f64) < self.rules.panic_threshold * all as f64;
        let candidates = if panics { (0..all).collect() } else { well };
        let usable = candidates.len();
        if let Balancing::LeastRequest { choices, shun_failed_for } = self.rules.balancing {
            let candidates: Vec<usize> =
                candidates.into_iter().filter(|index| usable == 1 || Some(*index) != avoid).collect();
            return self.least_loaded(&candidates, choices, shun_failed_for);
        }
        // Turns count only usable backends; otherwise the neighbour of an ejected one would get its share as well.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(usable)?;
        let mut candidates = candidates.iter().copied().cycle().skip(turn).take(usable);
        let first = candidates.next()?;
        if Some(first) == avoid { Some(candidates.next().unwrap_or(first)) } else { Some(first) }
    }

    /// The backend of this name, if it may be used and is not the one to avoid.
    pub fn named(&self, name: &str, avoid: Option<usize>) -> Option<usize> {
        let index = self.members.iter().position(|member| member.name == name)?;
        (Some(index) != avoid && self.is_well(index)).then_some(index)
    }

    fn is_well(&self, index: usize) -> bool {
        let is_ejected = self.outliers.as_ref().is_some_and(|outliers| outliers.is_ejected(index));
        self.members[index].is_healthy() && !is_ejected
    }

    /// Of some of these backends at random, the one with the least load.
    fn least_loaded(&self, candidates: &[usize], choices: usize, shun_failed_for: Duration) -> Option<usize> {
        let (now, mut rng) = (Instant::now(), rand_0_9::rng());
        let load = |index: &usize| {
            let member = &self.members[*index];
            let failed_at = *member.failed_at.lock().expect("no holder of a failure panics");
            let is_shunned = failed_at.is_some_and(|at| now.duration_since(at) < shun_failed_for);
            (is_shunned, member.in_flight.load(Ordering::Relaxed))
        };
        candidates.choose_multiple(&mut rng, choices).min_by_key(|index| load(index)).copied()
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
        self.observer.health_changed(&member.name, ok);
    }
}

impl Member {
    /// Whether the probes consider it healthy.
    pub fn is_healthy(&self) -> bool {
        self.health.lock().expect("no holder of a health panics").healthy
    }
}
