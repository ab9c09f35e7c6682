//! How a client calls: its limits, its patience, and the mistakes that it can be told to make.
//!
//! Owns the defaults. Does nothing.

use std::time::Duration;

use super::pool::PoolConfig;
use super::retry::Jitter;

/// How calls are made.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The gateway's name or IP address.
    pub gateway: String,
    /// The gateway's port.
    pub port: u16,
    /// Distinguishes this client's calls from those of others.
    pub client_number: u32,
    /// From the user's question to the user's answer, over all attempts and the waiting between them.
    pub deadline: Duration,
    /// One attempt: connect, head and the whole body.
    pub attempt_timeout: Duration,
    /// The first attempt included.
    pub max_attempts: u32,
    /// The bound of the first wait; it doubles with each failure.
    pub backoff_base: Duration,
    /// The bound of every wait.
    pub backoff_cap: Duration,
    /// How waits are spread below their bound.
    pub jitter: Jitter,
    /// How many retries each call pays for.
    pub retry_ratio: f64,
    /// How many retries a second are allowed whatever the number of calls.
    pub retry_minimum_per_second: f64,
    /// How many retries may be saved up.
    pub retry_burst: f64,
    /// Whether a server that asks to be left alone for a while is.
    pub respects_retry_after: bool,
    /// How connections are kept.
    pub pool: PoolConfig,
    /// What is done wrong on purpose.
    pub mistakes: Mistakes,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            gateway: "gateway".to_owned(),
            port: 80,
            client_number: 0,
            deadline: Duration::from_secs(4),
            attempt_timeout: Duration::from_secs(1),
            max_attempts: 4,
            backoff_base: Duration::from_millis(50),
            backoff_cap: Duration::from_secs(1),
            jitter: Jitter::Full,
            retry_ratio: 0.2,
            retry_minimum_per_second: 1.0,
            retry_burst: 10.0,
            respects_retry_after: true,
            pool: PoolConfig::default(),
            mistakes: Mistakes::default(),
        }
    }
}

/// What a client can do wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// Orders carry no key and are sent again all the same. The api servers must be lenient for it to work at all.
    pub retry_unkeyed_posts: bool,
    /// Each attempt has a key of its own.
    pub new_key_per_attempt: bool,
    /// A call may take for ever.
    pub no_deadline: bool,
    /// `max_attempts` is ignored.
    pub unlimited_retries: bool,
    /// Retries cost nothing.
    pub no_budget: bool,
    /// An attempt gets its whole timeout, however little is left of the deadline.
    pub attempt_ignores_deadline: bool,
    /// The attempt's timer stops at the answer's head.
    pub timer_stops_at_head: bool,
    /// What the server refuses for good (400, 422) is sent again.
    pub retries_rejections: bool,
    /// A server that asks to be left alone is waited for, even beyond the deadline.
    pub retry_after_beats_deadline: bool,
}
