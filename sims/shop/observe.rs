//! What the shop's programs tell a spectator: the moments that no byte on the wire shows.
//!
//! Owns the vocabulary only. Spectators must be quick and must not act on the shop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetrySafety {
    /// Doing it twice is the same as doing it once.
    Idempotent,
    /// It carries a key under which the server does it once.
    Keyed,
    /// Nothing that was sent so far was executed: it never left, or it was refused before any work.
    Unsent,
    /// It may not be sent again.
    Unsafe,
}

/// How one attempt of a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome<'a> {
    /// A complete answer with this status.
    Status(u16),
    /// The attempt's time was up.
    TimedOut,
    /// The connection broke.
    Failed(&'a str),
    /// There was no connection.
    Refused,
}

/// Sees what happens inside the programs. Every method does nothing unless it is overridden.
#[allow(unused_variables)]
pub trait Observe: Send + Sync + 'static {
    /// A client's user asked for something. Call numbers are unique among all clients with distinct numbers.
    fn call_started(&self, call: u64, deadline: Duration) {}
    /// Attempt 1, 2, ... of a call begins; it may last as long as `timeout`. `safety` says why it may be (or, for the
    /// first attempt, could be) a retry.
    fn attempt_started(&self, call: u64, attempt: u32, timeout: Duration, safety: RetrySafety) {}
    /// The attempt ended.
    fn attempt_ended(&self, call: u64, attempt: u32, outcome: AttemptOutcome<'_>) {}
    /// The user has the answer, or an error.
    fn call_ended(&self, call: u64, ok: bool) {}
    /// The gateway sends an ordinary request to a backend.
    fn dispatched(&self, to: &str) {}
    /// The gateway asked a backend for its health.
    fn probed(&self, to: &str, ok: bool) {}
    /// The gateway changed its mind about a backend.
    fn health_changed(&self, to: &str, healthy: bool) {}
    /// The store committed a new order.
    fn order_applied(&self, key: &str, id: u64) {}
    /// An api server's breaker for pricing opened or closed.
    fn breaker_changed(&self, open: bool) {}
    /// A server became ready for requests, or began to drain.
    fn ready(&self, ready: bool) {}
}

/// A spectator, shared by the tasks of a program.
pub type Observer = Arc<dyn Observe>;

/// A spectator that looks away.
pub fn nobody() -> Observer {
    struct Nobody;
    impl Observe for Nobody {}
    Arc::new(Nobody)
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
