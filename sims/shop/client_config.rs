//! The configuration of a client: its limits, its retry policy, and its deliberate mistakes.

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
    /// The limit for a whole call: all attempts and the waits between them.
    pub deadline: Duration,
    /// The limit for one attempt: the connect, the head and the whole body.
    pub attempt_timeout: Duration,
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
    /// Whether the client waits as long as a server's `Retry-After` asks.
    pub respects_retry_after: bool,
    /// How connections are kept.
    pub pool: PoolConfig,
    /// Which idempotency keys orders carry.
    pub keys: Keys,
    /// The deliberate mistakes.
    pub mistakes: Mistakes,
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
            keys: Keys::default(),
            mistakes: Mistakes::default(),
        }
    }
}

/// The mistakes that a client can make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// Orders are retried whether or not they carry a key.
    pub retries_unsafe_requests: bool,
    /// An attempt gets its whole timeout, even if less time is left until the deadline.
    pub attempt_ignores_deadline: bool,
    /// An attempt's timer stops at the answer's head.
    pub timer_stops_at_head: bool,
    /// Permanent rejections (400, 422) are retried.
    pub retries_rejections: bool,
    /// The client waits as long as `Retry-After` asks, even beyond the deadline.
    pub retry_after_beats_deadline: bool,
}
