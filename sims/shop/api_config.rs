//! The configuration of an api server: its limits, its upstream services, and its deliberate mistakes.

use std::time::Duration;

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
    /// Whether an order needs an idempotency key.
    pub requires_key: bool,
    /// The longest that a request may take, whatever its caller allows.
    pub request_limit: Duration,
    /// How long pricing may take; short, because there is a fallback.
    pub pricing_timeout: Duration,
    /// The greatest age of a remembered price that may replace a fresh one.
    pub stale_limit: Duration,
    /// The circuit breaker for pricing.
    pub breaker: BreakerConfig,
    /// How connections to the store and to pricing are kept.
    pub pool: PoolConfig,
    /// How connections from the gateway are treated.
    pub serve: ServeConfig,
    /// The deliberate mistakes.
    pub mistakes: Mistakes,
}

/// The mistakes that an api server can make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// A token is valid only at the server that issued it, and only until that server dies.
    pub session_in_memory: bool,
    /// It reports itself unhealthy when the store is unhealthy.
    pub health_asks_store: bool,
    /// A stale price is not marked as degraded.
    pub unmarked_fallback: bool,
    /// It waits for the store up to its own limit, even after its caller's deadline.
    pub ignores_deadline: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            store: ("store".to_owned(), 80),
            pricing: ("pricing".to_owned(), 80),
            token_secret: b"a secret for tests and examples".to_vec(),
            token_lifetime: Duration::from_secs(60 * 60),
            requires_key: true,
            request_limit: Duration::from_secs(5),
            pricing_timeout: Duration::from_millis(300),
            stale_limit: Duration::from_secs(5 * 60),
            breaker: BreakerConfig::default(),
            pool: PoolConfig::default(),
            serve: ServeConfig::default(),
            mistakes: Mistakes::default(),
        }
    }
}
