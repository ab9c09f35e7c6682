//! Hedged reads, as in gRPC's A6: when a read takes longer than nearly all others, it is asked of a second backend as well, and
//! the first good answer is taken.
//!
//! Owns the delay, the budget and the race. The gateway sends; dropping the slower request cancels it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use hyper::Method;
use tokio::time::Instant;

use super::retry::RetryBudget;

/// When a request is asked twice.
#[derive(Clone, Copy, Debug)]
pub struct HedgeRules {
    /// Which requests may be: those that have no effect, because both may be executed.
    pub may_be_asked_twice: fn(&Method) -> bool,
    /// The share of answers that arrive before the delay is over.
    pub quantile: f64,
    /// The shortest delay; also the delay until enough answers are known.
    pub shortest: Duration,
    /// How many second requests each request adds to the budget.
    pub ratio: f64,
    /// How many second requests may be saved up.
    pub burst: f64,
}

impl Default for HedgeRules {
    fn default() -> HedgeRules {
        HedgeRules {
            may_be_asked_twice: Method::is_safe,
            quantile: 0.95,
            shortest: Duration::from_millis(50),
            ratio: 0.1,
            burst: 5.0,
        }
    }
}

/// How many answers the delay is computed from, and how many there must be.
const REMEMBERED: usize = 100;
const ENOUGH: usize = 20;

/// The delay and the budget of one gateway.
pub struct Hedging {
    rules: HedgeRules,
    budget: RetryBudget,
    /// How long the last answers took.
    took: Mutex<VecDeque<Duration>>,
}

impl Hedging {
    /// No answers are known yet.
    pub fn new(rules: HedgeRules) -> Hedging {
        let budget = RetryBudget::new(rules.ratio, 0.0, rules.burst);
        Hedging { rules, budget, took: Mutex::default() }
    }

    /// Whether requests with this method may be asked twice.
    pub fn applies_to(&self, method: &Method) -> bool {
        (self.rules.may_be_asked_twice)(method)
    }

    /// How long the first request may take before a second one is sent.
    pub fn delay(&self) -> Duration {
        let took = self.took.lock().expect("no holder of the times panics");
        if took.len() < ENOUGH {
            return self.rules.shortest;
        }
        let mut sorted: Vec<Duration> = took.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (sorted.len() as f64 * self.rules.quantile) as usize;
        sorted[rank.min(sorted.len() - 1)].max(self.rules.shortest)
    }

    /// Asks `first`, and after the delay `second` as well if the budget allows it. Returns the first good answer, or the last
    /// bad one.
    pub async fn race<T, F: Future<Output = T>>(
        &self,
        first: impl Future<Output = T>,
        second: impl FnOnce() -> F,
        is_good: impl Fn(&T) -> bool,
    ) -> T {
        let began = Instant::now();
        self.budget.deposit();
        let mut first = pin!(first);
        tokio::select! {
            biased;
            answer = &mut first => return self.timed(began, answer),
            () = tokio::time::sleep(self.delay()) => {}
        }
        if !self.budget.withdraw() {
            let answer = first.await;
            return self.timed(began, answer);
        }
        let mut second = pin!(second());
        let answer = tokio::select! {
            biased;
            answer = &mut first => if is_good(&answer) { answer } else { second.await },
            answer = &mut second => if is_good(&answer) { answer } else { first.await },
        };
        self.timed(began, answer)
    }

    /// Remembers how long an answer took.
    fn timed<T>(&self, began: Instant, answer: T) -> T {
        let mut took = self.took.lock().expect("no holder of the times panics");
        if took.len() == REMEMBERED {
            took.pop_front();
        }
        took.push_back(began.elapsed());
        answer
    }
}
