//! The pricing service: an external backend, often slow or faulty.
//!
//! Owns the prices of articles, and how slow and faulty the service currently is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use hyper::{Method, Request, StatusCode};
use rand_0_9::Rng;

use super::message::{Answer, Body, Price, json, problem};
use super::net::Listen;
use super::observe::Observer;
use super::serve::{ServeConfig, Shutdown, serve};

/// How the service behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// How slow and faulty it is, which can be changed while it runs.
    pub impairment: Impairment,
    /// How connections are treated.
    pub serve: ServeConfig,
}

impl Default for Config {
    fn default() -> Config {
        // No balancer watches this service, so a drain delay has no use.
        let serve = ServeConfig { drain_delay: Duration::ZERO, ..ServeConfig::default() };
        Config { impairment: Impairment::default(), serve }
    }
}

/// How slow and how faulty the service is. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Impairment {
    shared: Arc<(AtomicU64, AtomicU32)>,
}

impl Impairment {
    /// Delays every answer by this duration, in whole milliseconds.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.0.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Answers this percentage of requests with 500.
    pub fn set_failures_percent(&self, percent: u32) {
        self.shared.1.store(percent, Ordering::Relaxed);
    }
}

/// Runs the service until shutdown.
pub async fn run<L: Listen>(listener: L, config: Config, shutdown: Shutdown, observer: Observer) -> io::Result<()> {
    serve(listener, config.serve, shutdown, observer, config.impairment, route).await
}

/// The price of an article: a function of its name, so that any answer can be checked.
pub fn cents_of(sku: &str) -> u64 {
    // FNV-1a, because it gives the same hash everywhere.
    let hash = sku
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    100 + hash % 9_900
}

async fn route(impairment: Impairment, request: Request<Body>) -> Answer {
    let delay_ms = impairment.shared.0.load(Ordering::Relaxed);
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    let failures_percent = impairment.shared.1.load(Ordering::Relaxed);
    if failures_percent > 0 && rand_0_9::rng().random_range(0..100) < failures_percent {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "pricing is unwell");
    }
    match (request.method(), request.uri().path().strip_prefix("/price/")) {
        (&Method::GET, Some(sku)) if !sku.is_empty() => {
            let price = Price { sku: sku.to_owned(), cents: cents_of(sku), degraded: false, age_ms: 0 };
            json(StatusCode::OK, &price)
        }
        (_, Some(_)) => problem(StatusCode::METHOD_NOT_ALLOWED, "only GET"),
        _ => problem(StatusCode::NOT_FOUND, "no such page"),
    }
}
