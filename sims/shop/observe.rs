//! What happens inside the shop's programs and the wire does not show.
//!
//! Owns the events: each is logged with `tracing`, in Squall's vocabulary where it has a word for it, and handed to an observer,
//! which counts it for `/metrics`. Observers must return quickly and must not influence the shop.

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

/// Logs what happens in a program and hands it to its observer. The tasks of the program share it.
#[derive(Clone)]
pub struct Observer(Option<Arc<dyn Observe>>);

/// An observer that does nothing but log.
pub fn no_observer() -> Observer {
    Observer(None)
}

impl<O: Observe> From<Arc<O>> for Observer {
    fn from(observer: Arc<O>) -> Observer {
        Observer(Some(observer))
    }
}

/// The methods are those of [`Observe`].
impl Observer {
    fn tell(&self, what: impl FnOnce(&dyn Observe)) {
        if let Some(observer) = &self.0 {
            what(&**observer);
        }
    }

    pub fn call_started(&self, call: u64, deadline: Duration) {
        tracing::debug!(
            name: "call.started",
            target: "squall",
            { call.id = call, call.timeout_ms = ms(deadline) },
            "call started"
        );
        self.tell(|observer| observer.call_started(call, deadline));
    }

    pub fn attempt_started(&self, call: u64, attempt: u32, timeout: Duration, safety: RetrySafety) {
        tracing::debug!(
            name: "attempt.started",
            target: "squall",
            {
                call.id = call,
                http.request.resend_count = attempt - 1,
                attempt.timeout_ms = ms(timeout),
                retry.safety = safety.word(),
            },
            "attempt started"
        );
        self.tell(|observer| observer.attempt_started(call, attempt, timeout, safety));
    }

    pub fn attempt_ended(&self, call: u64, attempt: u32, outcome: AttemptOutcome<'_>) {
        tracing::debug!(
            name: "attempt.ended",
            target: "squall",
            {
                call.id = call,
                http.request.resend_count = attempt - 1,
                http.response.status_code = outcome.status(),
                error.type = outcome.error(),
            },
            "attempt ended"
        );
        self.tell(|observer| observer.attempt_ended(call, attempt, outcome));
    }

    pub fn call_ended(&self, call: u64, ok: bool) {
        tracing::debug!(
            name: "call.ended",
            target: "squall",
            { call.id = call, error.type = (!ok).then_some("failed") },
            "call ended"
        );
        self.tell(|observer| observer.call_ended(call, ok));
    }

    pub fn dispatched(&self, to: &str) {
        tracing::debug!(name: "request.dispatched", target: "squall", { server.address = to }, "request dispatched");
        self.tell(|observer| observer.dispatched(to));
    }

    pub fn probed(&self, to: &str, ok: bool) {
        let error = (!ok).then_some("failed");
        tracing::debug!(
            name: "probe.ended",
            target: "squall",
            { server.address = to, error.type = error },
            "probe ended"
        );
        self.tell(|observer| observer.probed(to, ok));
    }

    pub fn health_changed(&self, to: &str, healthy: bool) {
        tracing::warn!(
            name: "backend.health_changed",
            target: "squall",
            { server.address = to, backend.is_healthy = healthy },
            "health changed"
        );
        self.tell(|observer| observer.health_changed(to, healthy));
    }

    pub fn ejected(&self, to: &str, lasting: Duration) {
        tracing::warn!(
            name: "backend.ejected",
            target: "squall",
            { server.address = to, ejection.duration_ms = ms(lasting) },
            "ejected for its answers"
        );
        self.tell(|observer| observer.ejected(to, lasting));
    }

    pub fn hedged(&self) {
        self.tell(|observer| observer.hedged());
    }

    pub fn order_applied(&self, key: &str, id: u64) {
        tracing::debug!(
            name: "effect.applied",
            target: "squall",
            { idempotency.key = key, effect.id = id },
            "effect applied"
        );
        self.tell(|observer| observer.order_applied(key, id));
    }

    pub fn breaker_changed(&self, open: bool) {
        tracing::warn!(name: "breaker.changed", target: "squall", { breaker.is_open = open }, "breaker changed");
        self.tell(|observer| observer.breaker_changed(open));
    }

    pub fn ready(&self, ready: bool) {
        tracing::debug!(
            name: "readiness.changed",
            target: "squall",
            { server.is_ready = ready },
            "readiness changed"
        );
        self.tell(|observer| observer.ready(ready));
    }

    pub fn request_started(&self) {
        self.tell(|observer| observer.request_started());
    }

    pub fn request_ended(&self, status: Option<u16>, took: Duration) {
        self.tell(|observer| observer.request_ended(status, took));
    }
}

/// Milliseconds, exact for times below a hundred days.
fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl RetrySafety {
    fn word(self) -> &'static str {
        match self {
            RetrySafety::Idempotent => "idempotent",
            RetrySafety::Keyed => "keyed",
            RetrySafety::Unsent => "unsent",
            RetrySafety::Unsafe => "unsafe",
        }
    }
}

impl AttemptOutcome<'_> {
    fn status(self) -> Option<u16> {
        match self {
            AttemptOutcome::Status(status) => Some(status),
            _ => None,
        }
    }

    /// The type of the error, as in OpenTelemetry's conventions.
    fn error(self) -> Option<&'static str> {
        match self {
            AttemptOutcome::Status(_) => None,
            AttemptOutcome::TimedOut => Some("timeout"),
            AttemptOutcome::Refused => Some("connection_refused"),
            AttemptOutcome::Failed(_) => Some("connection_broken"),
        }
    }
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
