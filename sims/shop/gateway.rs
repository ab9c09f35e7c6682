//! The gateway: the one address that clients know, in front of the api servers.
//!
//! Owns health probes and the forwarding of requests. It neither interprets nor retries what it forwards: only the
//! client retries, because retries at several layers multiply.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use tokio::task::JoinSet;

use super::affinity;
use super::balance::{Backend, Balancing, Pool, PoolRules};
use super::hedge::{HedgeRules, Hedging};
use super::message::{Answer, Body, DEADLINE_HEADER, Expiry, deadline_value, problem, read_body, refusal, status_page};
use super::net::{Connect, Listen};
use super::observe::Observer;
use super::outlier::OutlierRules;
use super::pool::{ExchangeError, HttpClient, PoolConfig, address, exchange, http_client};
use super::retry::{Jitter, backoff, is_refusal};
use super::serve::{ServeConfig, Shutdown, serve};
use super::throttle::{Throttle, ThrottleRules};

/// How the gateway behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The api servers.
    pub backends: Vec<Backend>,
    /// How a backend is chosen for a request.
    pub balancing: Balancing,
    /// The pause between two probes of a backend.
    pub health_interval: Duration,
    /// How long a probe may take.
    pub health_timeout: Duration,
    /// This many failed probes in a row eject a backend.
    pub fall: u32,
    /// This many successful probes in a row bring it back.
    pub rise: u32,
    /// When fewer than this share of the backends is healthy, all are used (Envoy's panic threshold).
    pub panic_threshold: f64,
    /// What a probe asks.
    pub probe: Probe,
    /// The path that probes request.
    pub health_path: String,
    /// Whether probes reuse connections. A new connection also shows whether the server still accepts.
    pub probes_reuse_connections: bool,
    /// The longest that a request may take, whatever its caller allows.
    pub request_limit: Duration,
    /// How connections to the backends are kept.
    pub pool: PoolConfig,
    /// How connections from clients are treated.
    pub serve: ServeConfig,
    /// How often a request is sent to backends, at most. More than once is rarely right: the client retries, and retries at
    /// several layers multiply.
    pub upstream_attempts: u32,
    /// Which backend the next of these attempts avoids, by the one that has failed.
    pub avoided: fn(usize) -> Option<usize>,
    /// When a backend is ejected for its answers, if it ever is.
    pub outliers: Option<OutlierRules>,
    /// When a request is asked of a second backend as well, if it ever is.
    pub hedges: Option<HedgeRules>,
    /// When a request is refused because the backends refuse many, if it ever is.
    pub throttle: Option<ThrottleRules>,
    /// Whether a request goes to the backend that its token names, as long as that one may be used.
    pub sticky: bool,
}

/// The upper bound of the first wait between attempts of the gateway, and that of all (Envoy's).
const BACKOFF_BASE: Duration = Duration::from_millis(25);
const BACKOFF_CAP: Duration = Duration::from_millis(250);

/// Why a request is refused without asking a backend.
pub const THROTTLED: &str = "the servers refuse too many requests";

/// What a probe asks of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Probe {
    /// An answer to a request.
    #[default]
    Answer,
    /// A connection, which also succeeds when the server's program hangs, because the kernel accepts.
    Connection,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            backends: Vec::new(),
            balancing: Balancing::default(),
            health_interval: Duration::from_secs(1),
            health_timeout: Duration::from_millis(500),
            fall: 3,
            rise: 2,
            panic_threshold: 0.5,
            probe: Probe::default(),
            health_path: "/health".to_owned(),
            probes_reuse_connections: false,
            request_limit: Duration::from_secs(5),
            pool: PoolConfig::default(),
            serve: ServeConfig { in_flight_limit: 1024, ..ServeConfig::default() },
            upstream_attempts: 1,
            avoided: Some,
            outliers: None,
            hedges: None,
            throttle: None,
            sticky: false,
        }
    }
}

/// Runs the gateway until shutdown.
pub async fn run<L: Listen, C: Connect>(
    listener: L,
    connector: C,
    config: Config,
    shutdown: Shutdown,
    observer: Observer,
) -> io::Result<()> {
    let Config { balancing, fall, rise, panic_threshold, outliers, .. } = config;
    let rules = PoolRules { balancing, fall, rise, panic_threshold, outliers };
    let backends = Pool::new(&config.backends, rules, observer.clone());
    let serve_config = config.serve.clone();
    let idle_probes = if config.probes_reuse_connections { 1 } else { 0 };
    let probe_pool = PoolConfig { idle_per_host: idle_probes, ..config.pool.clone() };
    let probe_client = http_client(connector.clone(), &probe_pool);
    let client = http_client(connector.clone(), &config.pool);
    let (hedging, throttle) = (config.hedges.map(Hedging::new), config.throttle.map(Throttle::new));
    let for_programs = observer.clone();
    let gateway =
        Gateway { config, connector, client, probe_client, backends, hedging, throttle, observer: for_programs };
    let gateway = Arc::new(gateway);

    // The probes are aborted when this future is dropped, because the set is dropped with it.
    let mut probes = JoinSet::new();
    for index in 0..gateway.backends.len() {
        probes.spawn(gateway.clone().watch_health(index));
    }
    serve(listener, serve_config, shutdown, observer, gateway, route).await
}

struct Gateway<C: Connect> {
    config: Config,
    connector: C,
    client: HttpClient<C>,
    probe_client: HttpClient<C>,
    backends: Pool,
    hedging: Option<Hedging>,
    throttle: Option<Throttle>,
    observer: Observer,
}

/// The backend that a request was sent to last.
struct Chosen(AtomicUsize);

impl Default for Chosen {
    fn default() -> Chosen {
        Chosen(AtomicUsize::new(usize::MAX))
    }
}

impl Chosen {
    fn set(&self, index: usize) {
        self.0.store(index, Ordering::Relaxed);
    }

    fn get(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|index| *index != usize::MAX)
    }
}

async fn route<C: Connect>(gateway: Arc<Gateway<C>>, request: Request<Body>) -> Answer {
    if request.uri().path() == "/gateway/health" {
        return status_page(StatusCode::OK, "ok");
    }
    let expiry = Expiry::from_headers(request.headers(), gateway.config.request_limit);
    let (mut parts, body) = request.into_parts();
    let body = match read_body(body, expiry).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    drop_hop_headers(&mut parts.headers);
    if gateway.throttle.as_ref().is_some_and(Throttle::refuses) {
        return refusal(THROTTLED);
    }
    let answer = gateway.ask(&parts, body, expiry).await;
    if let Some(throttle) = gateway.throttle.as_ref().filter(|_| answer.status() == StatusCode::SERVICE_UNAVAILABLE) {
        throttle.was_refused();
    }
    answer
}

impl<C: Connect> Gateway<C> {
    /// Forwards a request to one backend, or to two if the first takes long.
    async fn ask(&self, parts: &Parts, body: Bytes, expiry: Expiry) -> Answer {
        let chosen = Chosen::default();
        let Some(hedging) = self.hedging.as_ref().filter(|hedging| hedging.applies_to(&parts.method)) else {
            return self.forward(parts, body, expiry, None, &chosen).await;
        };
        let first = self.forward(parts, body.clone(), expiry, None, &chosen);
        let second = || {
            self.observer.hedged();
            let (other, avoid) = (Chosen::default(), chosen.get());
            async move { self.forward(parts, body, expiry, avoid, &other).await }
        };
        hedging.race(first, second, |answer| !answer.status().is_server_error()).await
    }

    /// Forwards a request once, or to a second backend if it provably was not sent to the first. Notes which it has chosen.
    async fn forward(
        &self,
        request: &Parts,
        body: Bytes,
        expiry: Expiry,
        mut avoid: Option<usize>,
        chosen: &Chosen,
    ) -> Answer {
        let mut failures = 0;
        let mut may_be_done = false;
        loop {
            let sticks_to = affinity::server_of(&request.headers).filter(|_| self.config.sticky);
            let sticks_to = sticks_to.and_then(|name| self.backends.named(name, avoid));
            let Some(index) = sticks_to.or_else(|| self.backends.next(avoid)) else {
                return problem(StatusCode::SERVICE_UNAVAILABLE, "there is no backend");
            };
            let Some(left) = expiry.left() else {
                return problem(StatusCode::GATEWAY_TIMEOUT, "no time is left");
            };
            chosen.set(index);
            let backend = self.backends.member(index);
            let mut outgoing = copy_head(request, body.clone());
            outgoing.headers_mut().insert(DEADLINE_HEADER, deadline_value(left));
            *outgoing.uri_mut() =
                address(&backend.authority, request.uri.path_and_query().map_or("/", |path| path.as_str()));
            self.observer.dispatched(&backend.name);
            let in_flight = self.backends.begin(index);
            let answer = match exchange(&self.client, outgoing, left).await {
                Ok((parts, body)) => answer_with(parts, body),
                Err(ExchangeError::Refused) if avoid.is_none() && self.backends.len() > 1 => {
                    in_flight.failed();
                    avoid = Some(index);
                    continue;
                }
                Err(error) => failure(&error),
            };
            let status = answer.status();
            if !status.is_server_error() {
                in_flight.succeeded();
                return answer;
            }
            in_flight.failed();
            drop(in_flight);
            failures += 1;
            may_be_done |= !is_refusal(status.as_u16());
            if failures >= self.config.upstream_attempts {
                // That the last attempt was refused says nothing about the others.
                let was_refused_at_last = may_be_done && is_refusal(status.as_u16());
                return if was_refused_at_last { failure(&ExchangeError::Broken("")) } else { answer };
            }
            avoid = (self.config.avoided)(index);
            tokio::time::sleep(backoff(BACKOFF_BASE, BACKOFF_CAP, failures, Jitter::Full)).await;
        }
    }

    /// Probes one backend forever. A probe and a pause take at most interval + timeout, so that a dead backend is
    /// ejected within fall x (interval + timeout).
    async fn watch_health(self: Arc<Self>, index: usize) {
        loop {
            let ok = self.probe(index).await;
            self.backends.record_probe(index, ok);
            tokio::time::sleep(self.config.health_interval).await;
        }
    }

    async fn probe(&self, index: usize) -> bool {
        let backend = self.backends.member(index);
        let limit = self.config.health_timeout;
        if self.config.probe == Probe::Connection {
            let connecting = self.connector.connect(&backend.name, backend.authority.port_u16().unwrap_or(80));
            return matches!(tokio::time::timeout(limit, connecting).await, Ok(Ok(_)));
        }
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = address(&backend.authority, &self.config.health_path);
        matches!(exchange(&self.probe_client, request, limit).await, Ok((parts, _)) if parts.status == StatusCode::OK)
    }
}

fn failure(error: &ExchangeError) -> Answer {
    let why = match error {
        ExchangeError::Refused => "no backend could be reached",
        ExchangeError::Broken(_) => "the connection to the backend broke",
        ExchangeError::TimedOut => "the backend did not answer in time",
    };
    problem(error.status(), why)
}

fn copy_head(request: &Parts, body: Bytes) -> Request<Full<Bytes>> {
    let mut copy = Request::new(Full::new(body));
    *copy.method_mut() = request.method.clone();
    *copy.headers_mut() = request.headers.clone();
    copy
}

fn answer_with(mut parts: hyper::http::response::Parts, body: Bytes) -> Answer {
    drop_hop_headers(&mut parts.headers);
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = parts.status;
    *answer.headers_mut() = parts.headers;
    answer
}

/// Removes the headers that concern a single connection, and those that the next hop sets itself.
fn drop_hop_headers(headers: &mut HeaderMap) {
    const HOP: [HeaderName; 9] = [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        HOST,
        CONTENT_LENGTH,
    ];
    for name in HOP {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}
