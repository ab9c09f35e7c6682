//! What an api server is told when it starts: its limits, whom it asks, and what it does wrong on purpose.

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
    /// Shared by all api servers, so that each accepts the tokens of the others.
    pub token_secret: Vec<u8>,
    /// How long a token is accepted.
    pub token_lifetime: Duration,
    /// Whether an order needs an idempotency key.
    pub requires_key: bool,
    /// The longest that a request may take, whatever its caller allows.
    pub request_limit: Duration,
    /// How long pricing may take; short, as there is a fallback.
    pub pricing_timeout: Duration,
    /// How old a price may be when it stands in for a fresh one.
    pub stale_limit: Duration,
    /// When pricing is left alone.
    pub breaker: BreakerConfig,
    /// How connections to the store and to pricing are kept.
    pub pool: PoolConfig,
    /// How connections of the gateway are treated.
    pub serve: ServeConfig,
    /// What is done wrong on purpose.
    pub mistakes: Mistakes,
}

/// What an api server can do wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// Tokens mean something to the server that issued them only, until it dies.
    pub session_in_memory: bool,
    /// ClientOutcome to stop, it stops accepting at once.
    pub no_drain: bool,
    /// It calls itself dead when the store is unwell.
    pub health_asks_store: bool,
    /// A stale price looks like a fresh one.
    pub unmarked_fallback: bool,
    /// It works for the store's caller for as long as it likes, whatever the caller still waits for.
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
