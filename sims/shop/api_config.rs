//! The configuration of an api server: its limits and its upstream services.

use std::time::Duration;

use super::admission::AdmissionConfig;
use super::breaker::BreakerConfig;
use super::pool::PoolConfig;
use super::serve::ServeConfig;

/// How an api server behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The store's name and port.
    pub store: (String, u16),
    /// The pricing service's name and port.
    pub pricing: (String, u16),
    /// The signing secret; all api servers share it, so that each accepts the others' tokens.
    pub token_secret: Vec<u8>,
    /// How long a token is accepted.
    pub token_lifetime: Duration,
    /// Where sessions are.
    pub sessions: SessionsIn,
    /// The server's own name, for the tokens of sessions that only it knows.
    pub name: String,
    /// Whether an order needs an idempotency key.
    pub requires_key: bool,
    /// The longest that a request may take, whatever its caller allows.
    pub request_limit: Duration,
    /// How long pricing may take; short, because there is a fallback.
    pub pricing_timeout: Duration,
    /// The greatest age of a remembered price that may replace a fresh one.
    pub stale_limit: Duration,
    /// An order is accepted if the price that its buyer agreed to differs from today's by at most this much.
    pub price_tolerance_cents: u64,
    /// The circuit breaker for pricing.
    pub breaker: BreakerConfig,
    /// Whether equal questions to pricing that are asked at the same time are asked once.
    pub coalesces_prices: bool,
    /// How connections to the store and to pricing are kept.
    pub pool: PoolConfig,
    /// How connections from the gateway are treated.
    pub serve: ServeConfig,
    /// How requests are admitted, other than those about its health.
    pub admission: AdmissionConfig,
    /// Whether its health covers the store's. Then one failing store makes the balancer eject every api server.
    pub health_covers_store: bool,
}

/// Where a server keeps who is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SessionsIn {
    /// In the token, which is signed. Any server can tell, before and after a restart.
    #[default]
    Token,
    /// In its memory: it needs a balancer that sends the holder of a token to the server that issued it, and a restart logs all
    /// of its users out.
    Memory,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            store: ("store".to_owned(), 80),
            pricing: ("pricing".to_owned(), 80),
            token_secret: b"a secret for tests and examples".to_vec(),
            token_lifetime: Duration::from_secs(60 * 60),
            sessions: SessionsIn::default(),
            name: String::new(),
            requires_key: true,
            request_limit: Duration::from_secs(5),
            pricing_timeout: Duration::from_millis(300),
            stale_limit: Duration::from_secs(5 * 60),
            price_tolerance_cents: 0,
            breaker: BreakerConfig::default(),
            coalesces_prices: false,
            pool: PoolConfig::default(),
            serve: ServeConfig::default(),
            admission: AdmissionConfig::default(),
            health_covers_store: false,
        }
    }
}
