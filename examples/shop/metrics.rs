//! What the shop's programs report, as metrics in the text format of OpenMetrics, which Prometheus reads, and as log lines.
//!
//! Owns the names of the metrics and the server that answers `GET /metrics`. It has an address of its own, so that users who
//! reach the gateway do not reach it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

use crate::shop::message::{Answer, Body, problem};
use crate::shop::net::listen;
use crate::shop::observe::{Observe, Observer, no_observer};
use crate::shop::serve::{ServeConfig, Shutdown, serve};

/// The upper bounds of the histogram's buckets, in seconds: from an answer out of memory to the longest deadline.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Program {
    program: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answers {
    program: String,
    status: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Backend {
    backend: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Probes {
    backend: String,
    ok: String,
}

/// The metrics of all programs of one process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    values: Values,
}

#[derive(Clone)]
struct Values {
    requests: Family<Answers, Counter>,
    in_flight: Family<Program, Gauge>,
    durations: Family<Program, Histogram>,
    ready: Family<Program, Gauge>,
    dispatched: Family<Backend, Counter>,
    probes: Family<Probes, Counter>,
    healthy: Family<Backend, Gauge>,
    ejections: Family<Backend, Counter>,
    hedges: Counter,
    open_breakers: Family<Program, Gauge>,
    orders: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        let values = Values {
            requests: Family::default(),
            in_flight: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            ready: Family::default(),
            dispatched: Family::default(),
            probes: Family::default(),
            healthy: Family::default(),
            ejections: Family::default(),
            hedges: Counter::default(),
            open_breakers: Family::default(),
            orders: Counter::default(),
        };
        let mut registry = Registry::with_prefix("shop");
        // The format adds `_total` to the names of counters.
        registry.register("requests", "Requests that were answered, by status", values.requests.clone());
        registry.register("requests_in_flight", "Requests that are being answered", values.in_flight.clone());
        registry.register("request_duration_seconds", "How long answers take", values.durations.clone());
        registry.register("ready", "Whether the program takes requests (1) or drains (0)", values.ready.clone());
        registry.register("dispatched", "Requests that the gateway sent to a backend", values.dispatched.clone());
        registry.register("probes", "Health probes by the gateway", values.probes.clone());
        registry.register("backend_healthy", "Whether the gateway uses a backend", values.healthy.clone());
        registry.register("ejections", "Backends that were ejected for their answers", values.ejections.clone());
        registry.register("hedges", "Requests that were sent to a second backend", values.hedges.clone());
        registry.register("breaker_open", "Whether the breaker for pricing is open", values.open_breakers.clone());
        registry.register("orders", "Orders that the store committed", values.orders.clone());
        Metrics { registry: Arc::new(registry), values }
    }
}

impl Metrics {
    /// An observer of a program that counts what happens and logs it.
    pub fn observer(&self, program: &str) -> Observer {
        let (program, values) = (program.to_owned(), self.values.clone());
        Arc::new(Reporter { label: Program { program: program.clone() }, program, values }).into()
    }

    /// Notes that the gateway considers a backend healthy until its probes say otherwise.
    pub fn expect_healthy(&self, backend: &str) {
        self.values.healthy.get_or_create(&Backend { backend: backend.to_owned() }).set(1);
    }

    /// All metrics as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string can always be written to");
        text
    }

    /// Answers `GET /metrics` at this address until shutdown. Returns the address in use.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub async fn serve(
        &self,
        address: SocketAddr,
        shutdown: Shutdown,
    ) -> io::Result<(SocketAddr, JoinHandle<io::Result<()>>)> {
        let (listener, address) = listen(address).await?;
        // Whoever reads metrics wants those of the drain as well, so this server is asked to stop last, and stops at once.
        let config = ServeConfig { drain_delay: Duration::ZERO, ..ServeConfig::default() };
        Ok((address, tokio::spawn(serve(listener, config, shutdown, no_observer(), self.clone(), route))))
    }
}

async fn route(metrics: Metrics, request: Request<Body>) -> Answer {
    if request.uri().path() != "/metrics" {
        return problem(StatusCode::NOT_FOUND, "no such page");
    }
    if request.method() != Method::GET {
        return problem(StatusCode::METHOD_NOT_ALLOWED, "only GET");
    }
    let mut answer = Answer::new(Full::new(Bytes::from(metrics.text())));
    let format = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, format);
    answer
}

/// Counts and logs what one program reports.
struct Reporter {
    program: String,
    label: Program,
    values: Values,
}

impl Observe for Reporter {
    fn dispatched(&self, to: &str) {
        self.values.dispatched.get_or_create(&Backend { backend: to.to_owned() }).inc();
    }

    fn probed(&self, to: &str, ok: bool) {
        tracing::trace!(program = self.program, backend = to, ok, "probed");
        self.values.probes.get_or_create(&Probes { backend: to.to_owned(), ok: ok.to_string() }).inc();
    }

    fn health_changed(&self, to: &str, healthy: bool) {
        self.values.healthy.get_or_create(&Backend { backend: to.to_owned() }).set(i64::from(healthy));
    }

    fn ejected(&self, to: &str, _: Duration) {
        self.values.ejections.get_or_create(&Backend { backend: to.to_owned() }).inc();
    }

    fn hedged(&self) {
        self.values.hedges.inc();
    }

    fn order_applied(&self, key: &str, id: u64) {
        tracing::info!(program = self.program, order = id, key, "order committed");
        self.values.orders.inc();
    }

    fn breaker_changed(&self, open: bool) {
        self.values.open_breakers.get_or_create(&self.label).set(i64::from(open));
    }

    fn ready(&self, ready: bool) {
        tracing::info!(program = self.program, ready, "readiness changed");
        self.values.ready.get_or_create(&self.label).set(i64::from(ready));
    }

    fn request_started(&self) {
        self.values.in_flight.get_or_create(&self.label).inc();
    }

    fn request_ended(&self, status: Option<u16>, took: Duration) {
        tracing::debug!(program = self.program, status, ?took, "request ended");
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.values.in_flight.get_or_create(&self.label).dec();
        self.values.durations.get_or_create(&self.label).observe(took.as_secs_f64());
        self.values.requests.get_or_create(&Answers { program: self.program.clone(), status }).inc();
    }
}
