//! The glue between a simulated machine and a program of the shop: sockets, the signal to stop, and an observer that
//! writes to the trace.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use squall::history::Recorder;
use squall::prelude::*;
use squall::trace;
use squall::trace::Mark;

use crate::shop::net::{Connect, Listen};
use crate::shop::observe::{AttemptOutcome, Observe, Observer, RetrySafety};
use crate::shop::serve::Shutdown;

impl Connect for squall::net::Connector {
    type Stream = squall::net::TcpStream;

    async fn connect(&self, host: &str, port: u16) -> io::Result<Self::Stream> {
        squall::net::Connector::connect(self, host, port).await
    }
}

impl Listen for squall::net::TcpListener {
    type Stream = squall::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(Self::Stream, SocketAddr)> {
        squall::net::TcpListener::accept(self).await
    }
}

/// Writes the events that a program reports to the trace.
struct TraceObserver(Recorder);

/// An observer for a program on this host.
pub fn observer(cx: &HostContext) -> Observer {
    Arc::new(TraceObserver(cx.recorder()))
}

impl Observe for TraceObserver {
    fn call_started(&self, call: u64, deadline: Duration) {
        self.0.mark(Mark::CallStarted { call, deadline });
    }

    fn attempt_started(&self, call: u64, attempt: u32, timeout: Duration, safety: RetrySafety) {
        let safety = match safety {
            RetrySafety::Idempotent => trace::RetrySafety::Idempotent,
            RetrySafety::Keyed => trace::RetrySafety::Keyed,
            RetrySafety::Unsent => trace::RetrySafety::Unsent,
            RetrySafety::Unsafe => trace::RetrySafety::Unsafe,
        };
        self.0.mark(Mark::AttemptStarted { call, attempt, timeout, safety });
    }

    fn attempt_ended(&self, call: u64, attempt: u32, outcome: AttemptOutcome<'_>) {
        let outcome = match outcome {
            AttemptOutcome::Status(status) => trace::AttemptOutcome::Status(status),
            AttemptOutcome::TimedOut => trace::AttemptOutcome::TimedOut,
            AttemptOutcome::Failed(_) => trace::AttemptOutcome::Failed,
            AttemptOutcome::Refused => trace::AttemptOutcome::Refused,
        };
        self.0.mark(Mark::AttemptEnded { call, attempt, outcome });
    }

    fn call_ended(&self, call: u64, ok: bool) {
        self.0.mark(Mark::CallEnded { call, ok });
    }

    fn dispatched(&self, to: &str) {
        self.0.mark(Mark::Dispatched { to: self.0.host_named(to) });
    }

    fn probed(&self, to: &str, ok: bool) {
        self.0.mark(Mark::Probed { to: self.0.host_named(to), ok });
    }

    fn health_changed(&self, to: &str, healthy: bool) {
        self.0.mark(Mark::HealthChanged { to: self.0.host_named(to), healthy });
    }

    fn ejected(&self, to: &str, lasting: Duration) {
        self.0.note("ejected for its answers", &format!("{to} for {} ms", lasting.as_millis()));
    }

    fn order_applied(&self, key: &str, id: u64) {
        self.0.mark(Mark::Applied { key: key.to_owned(), id });
    }

    fn breaker_changed(&self, open: bool) {
        self.0.mark(Mark::BreakerChanged { open });
    }

    fn ready(&self, ready: bool) {
        self.0.mark(Mark::Ready(ready));
    }
}

/// The shop's signal to stop; it passes the simulated machine's on.
pub fn shutdown(cx: &HostContext) -> Shutdown {
    let (signal, of_machine) = (Shutdown::new(), cx.shutdown());
    let passed_on = signal.clone();
    tokio::spawn(async move {
        of_machine.requested().await;
        passed_on.request();
    });
    signal
}
