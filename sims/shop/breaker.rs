//! A circuit breaker modelled on linkerd's: consecutive failures open it, and a probe may close it.
//!
//! Owns the decision whether a call is allowed. The caller reports how each allowed call ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::observe::Observer;
use super::retry::up_to;

/// When the breaker opens and how it recovers.
#[derive(Clone, Debug)]
pub struct BreakerConfig {
    /// This many failures in a row open it.
    pub failures: u32,
    /// The wait before the first probe; it doubles with each failed probe, minus jitter of up to a tenth.
    pub backoff_min: Duration,
    /// The longest wait between probes.
    pub backoff_max: Duration,
    /// How many calls it allows at once as its probes, while it is open.
    pub probes: u32,
    /// What becomes of the permission for a call whose caller went away: it is given back, and says nothing of the endpoint.
    pub when_cancelled: fn(&mut Permit),
}

impl Default for BreakerConfig {
    fn default() -> BreakerConfig {
        BreakerConfig {
            failures: 7,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            probes: 1,
            when_cancelled: Permit::give_back,
        }
    }
}

/// Guards the calls to one endpoint. Clones share one breaker.
#[derive(Clone)]
pub struct Breaker {
    shared: Arc<Shared>,
}

struct Shared {
    config: BreakerConfig,
    observer: Observer,
    state: Mutex<State>,
}

enum State {
    Closed { failures: u32 },
    Open { until: Instant, backoff: Duration },
    Probing { backoff: Duration, more: u32 },
}

impl Breaker {
    /// A closed breaker.
    pub fn new(config: BreakerConfig, observer: Observer) -> Breaker {
        Breaker { shared: Arc::new(Shared { config, observer, state: Mutex::new(State::Closed { failures: 0 }) }) }
    }

    /// Allows a call, or returns `None`. An open breaker allows few calls at a time, as its probes.
    pub fn admit(&self) -> Option<Permit> {
        let mut state = self.shared.lock();
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until, backoff } if Instant::now() >= until => {
                *state = State::Probing { backoff, more: self.shared.config.probes.saturating_sub(1) };
                true
            }
            State::Probing { backoff, more: more @ 1.. } => {
                *state = State::Probing { backoff, more: more - 1 };
                true
            }
            State::Open { .. } | State::Probing { .. } => return None,
        };
        drop(state);
        Some(Permit { shared: self.shared.clone(), probe, settled: false })
    }
}

/// The permission for one call. If it is dropped unsettled, the caller went away.
#[must_use]
pub struct Permit {
    shared: Arc<Shared>,
    probe: bool,
    settled: bool,
}

impl Permit {
    /// The endpoint works; an answer that reports an error of the caller counts as well.
    pub fn succeeded(mut self) {
        self.settled = true;
        let mut state = self.shared.lock();
        // A call that began before the breaker opened proves nothing about the endpoint now.
        let counts = self.probe || matches!(*state, State::Closed { .. });
        if counts {
            *state = State::Closed { failures: 0 };
        }
        drop(state);
        if self.probe {
            self.shared.changed(false);
        }
    }

    /// The endpoint failed or did not answer in time.
    pub fn failed(mut self) {
        self.fail();
    }

    /// Counts a failure.
    pub fn fail(&mut self) {
        self.settled = true;
        let config = &self.shared.config;
        let mut state = self.shared.lock();
        let opened = match *state {
            State::Probing { backoff, .. } if self.probe => {
                *state = open_for(backoff.saturating_mul(2).min(config.backoff_max));
                false
            }
            State::Closed { failures } if failures + 1 >= config.failures => {
                *state = open_for(config.backoff_min);
                true
            }
            State::Closed { failures } => {
                *state = State::Closed { failures: failures + 1 };
                false
            }
            State::Open { .. } | State::Probing { .. } => false,
        };
        drop(state);
        if opened {
            self.shared.changed(true);
        }
    }

    /// Counts nothing; if it was a probe, another call may be the probe.
    pub fn give_back(&mut self) {
        let mut state = self.shared.lock();
        if let State::Probing { backoff, .. } = *state
            && self.probe
        {
            *state = State::Open { until: Instant::now(), backoff };
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.settled {
            let when_cancelled = self.shared.config.when_cancelled;
            when_cancelled(self);
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the breaker panics")
    }

    fn changed(&self, open: bool) {
        self.observer.breaker_changed(open);
    }
}

/// The jitter keeps servers whose breakers opened together from probing together. It only shortens the wait, so that
/// `backoff_max` stays an upper bound.
fn open_for(backoff: Duration) -> State {
    State::Open { until: Instant::now() + backoff - up_to(backoff / 10), backoff }
}
