//! The arithmetic of retries: how long to wait, how many are allowed, and which answers deserve one.
//!
//! Owns the policy; the callers send and wait.

use std::sync::Mutex;
use std::time::Duration;

use hyper::header::{HeaderMap, RETRY_AFTER};
use rand_0_9::rngs::StdRng;
use rand_0_9::{Rng, SeedableRng};
use tokio::time::Instant;

/// A token bucket of retries (modelled on Finagle's `RetryBudget`).
///
/// In any window of `w` seconds: retries <= burst + minimum_per_second x w + ratio x requests.
pub struct RetryBudget {
    ratio: f64,
    minimum_per_second: f64,
    burst: f64,
    state: Mutex<(f64, Instant)>,
}

impl RetryBudget {
    /// A full bucket.
    pub fn new(ratio: f64, minimum_per_second: f64, burst: f64) -> RetryBudget {
        RetryBudget { ratio, minimum_per_second, burst, state: Mutex::new((burst, Instant::now())) }
    }

    /// Adds `ratio` tokens for a request that is not a retry.
    pub fn deposit(&self) {
        self.with_tokens(|tokens| *tokens = (*tokens + self.ratio).min(self.burst));
    }

    /// Takes one token for a retry; if it returns `false`, the retry must not happen.
    pub fn withdraw(&self) -> bool {
        self.with_tokens(|tokens| {
            let allowed = *tokens >= 1.0;
            if allowed {
                *tokens -= 1.0;
            }
            allowed
        })
    }

    fn with_tokens<T>(&self, act: impl FnOnce(&mut f64) -> T) -> T {
        let mut state = self.state.lock().expect("no holder of the budget panics");
        let now = Instant::now();
        let earned = now.saturating_duration_since(state.1).as_secs_f64() * self.minimum_per_second;
        *state = ((state.0 + earned).min(self.burst), now);
        act(&mut state.0)
    }
}

/// How the waiting times are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Jitter {
    /// Anywhere between zero and the bound, so that callers that failed together do not retry together.
    #[default]
    Full,
    /// Always the bound (a mistake).
    None,
    /// Anywhere below the bound, but the same for all callers, as each has a generator that was seeded alike (a mistake).
    SharedByAll,
    /// Anywhere below the bound, until the bound reaches the cap; then always the cap (a mistake).
    VanishesAtCap,
    /// No wait at all (a mistake).
    NoBackoff,
}

/// The wait before the retry that follows `failures` (1 or more) failures in a row without `Retry-After`: with full
/// jitter, random in [0, min(cap, base x 2^(failures - 1))].
pub fn backoff(base: Duration, cap: Duration, failures: u32, jitter: Jitter) -> Duration {
    let bound = base.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(cap);
    match jitter {
        Jitter::NoBackoff => Duration::ZERO,
        Jitter::None => bound,
        Jitter::SharedByAll => bound.mul_f64(StdRng::seed_from_u64(u64::from(failures)).random()),
        Jitter::VanishesAtCap if bound == cap => bound,
        Jitter::Full | Jitter::VanishesAtCap => up_to(bound),
    }
}

/// A random duration in [0, bound].
pub fn up_to(bound: Duration) -> Duration {
    let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rand_0_9::rng().random_range(0..=bound_us))
}

/// Whether an answer means that a retry may help.
pub fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 502 | 503 | 504)
}

/// Whether an answer means that nothing was executed: the statuses with which the shop refuses a request before any
/// work.
pub fn is_refusal(status: u16) -> bool {
    matches!(status, 503) || (400..500).contains(&status) && status != 408
}

/// How long the server asks the client to wait. Dates are ignored, because their meaning depends on two clocks.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
