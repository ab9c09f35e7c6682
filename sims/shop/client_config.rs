//! The configuration of a client: its limits and its retry policy.

use std::time::Duration;

use super::observe::RetrySafety;
use super::pool::PoolConfig;
use super::retry::{Jitter, is_transient};

/// How calls are made.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The gateway's name or IP address.
    pub gateway: String,
    /// The gateway's port.
    pub port: u16,
    /// Distinguishes this client's calls from those of others.
    pub client_number: u32,
    /// How often this client was started before; distinguishes its calls from those of its earlier lives.
    pub earlier_lives: u32,
    /// The limit for a whole call: all attempts and the waits between them.
    pub deadline: Duration,
    /// The limit for one attempt: the connect, the head and the whole body.
    pub attempt_timeout: Duration,
    /// What an attempt may take, from `attempt_timeout` and what is left of the deadline: the less of both.
    pub attempt_limit: fn(Duration, Duration) -> Duration,
    /// What of an attempt is timed.
    pub timed: Timed,
    /// The most attempts per call, including the first.
    pub max_attempts: u32,
    /// The upper bound of the first wait; it doubles with each failure.
    pub backoff_base: Duration,
    /// The upper bound of every wait.
    pub backoff_cap: Duration,
    /// How waits are spread below their upper bound.
    pub jitter: Jitter,
    /// How many retries each call adds to the budget; may be a fraction.
    pub retry_ratio: f64,
    /// How many retries per second are allowed regardless of the number of calls.
    pub retry_minimum_per_second: f64,
    /// How many retries may be saved up.
    pub retry_burst: f64,
    /// The statuses after which another attempt may help.
    pub retried_statuses: fn(u16) -> bool,
    /// Whether a request of this kind may be sent again.
    pub may_be_repeated: fn(RetrySafety) -> bool,
    /// Whether the client waits as long as a server's `Retry-After` asks.
    pub respects_retry_after: bool,
    /// Whether a wait may begin, by its length and what is left of the deadline: only if it ends before.
    pub may_wait: fn(Duration, Duration) -> bool,
    /// How connections are kept.
    pub pool: PoolConfig,
    /// Which idempotency keys orders carry.
    pub keys: Keys,
}

/// What of an attempt is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Timed {
    /// All of it, up to the last byte of the answer's body.
    #[default]
    Whole,
    /// Only up to the answer's head (a mistake).
    Head,
}

/// Which idempotency keys orders carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Keys {
    /// One for each call, over all its attempts.
    #[default]
    OfTheCall,
    /// Another one for each attempt (a mistake).
    OfTheAttempt,
    /// A digest of the order, so that two equal orders have one (a mistake).
    OfTheBody,
    /// None.
    None,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            gateway: "gateway".to_owned(),
            port: 80,
            client_number: 0,
            earlier_lives: 0,
            deadline: Duration::from_secs(4),
            attempt_timeout: Duration::from_secs(1),
            attempt_limit: Duration::min,
            timed: Timed::default(),
            max_attempts: 4,
            backoff_base: Duration::from_millis(50),
            backoff_cap: Duration::from_secs(1),
            jitter: Jitter::Full,
            retry_ratio: 0.2,
            retry_minimum_per_second: 1.0,
            retry_burst: 10.0,
            retried_statuses: is_transient,
            may_be_repeated: |safety| safety != RetrySafety::Unsafe,
            respects_retry_after: true,
            may_wait: |wait, left| wait < left,
            pool: PoolConfig::default(),
            keys: Keys::default(),
        }
    }
}
