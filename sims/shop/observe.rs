//! The events that the shop's programs report to an observer, because the wire does not show them.
//!
//! Owns the trait and its types. Observers must return quickly and must not influence the shop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a request may be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetrySafety {
    /// Executing it twice has the same effect as executing it once.
    Idempotent,
    /// It carries a key, under which the server executes it once.
    Keyed,
    /// No earlier attempt was executed: each was never sent, or was refused before any work.
    Unsent,
    /// It must not be retried.
    Unsafe,
}

/// How one attempt of a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome<'a> {
    /// A complete answer with this status.
    Status(u16),
    /// The attempt's timeout passed.
    TimedOut,
    /// The connection broke.
    Failed(&'a str),
    /// No connection was established.
    Refused,
}

/// Observes what happens inside the programs. By default, every method does nothing.
#[allow(unused_variables)]
pub trait Observe: Send + Sync + 'static {
    /// A call begins. Its number is unique among all clients with distinct client numbers.
    fn call_started(&self, call: u64, deadline: Duration) {}
    /// Attempt 1, 2, ... of a call begins; it lasts at most `timeout`. `safety` says why it may be (or, for the first
    /// attempt, could be) a retry.
    fn attempt_started(&self, call: u64, attempt: u32, timeout: Duration, safety: RetrySafety) {}
    /// An attempt ended.
    fn attempt_ended(&self, call: u64, attempt: u32, outcome: AttemptOutcome<'_>) {}
    /// A call ended, with an answer or an error.
    fn call_ended(&self, call: u64, ok: bool) {}
    /// The gateway forwards a request (not a probe) to a backend.
    fn dispatched(&self, to: &str) {}
    /// The gateway probed a backend.
    fn probed(&self, to: &str, ok: bool) {}
    /// The gateway ejected or readmitted a backend.
    fn health_changed(&self, to: &str, healthy: bool) {}
    /// The gateway will not use a backend for a while, because it failed what it was asked.
    fn ejected(&self, to: &str, lasting: Duration) {}
    /// The gateway asks a second backend as well, because the first takes long.
    fn hedged(&self) {}
    /// The store committed a new order.
    fn order_applied(&self, key: &str, id: u64) {}
    /// An api server's breaker for pricing opened or closed.
    fn breaker_changed(&self, open: bool) {}
    /// A server became ready for requests, or began to drain.
    fn ready(&self, ready: bool) {}
    /// A server begins to answer a request.
    fn request_started(&self) {}
    /// A server ended a request: with an answer of this status, or without one, because its client went away.
    fn request_ended(&self, status: Option<u16>, took: Duration) {}
}

/// An observer, shared by the tasks of a program.
pub type Observer = Arc<dyn Observe>;

/// An observer that ignores all events.
pub fn no_observer() -> Observer {
    struct NoObserver;
    impl Observe for NoObserver {}
    Arc::new(NoObserver)
}

impl fmt::Display for AttemptOutcome<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttemptOutcome::Status(status) => write!(formatter, "status {status}"),
            AttemptOutcome::TimedOut => formatter.write_str("timed out"),
            AttemptOutcome::Failed(how) => write!(formatter, "connection broke {how}"),
            AttemptOutcome::Refused => formatter.write_str("could not connect"),
        }
    }
}
