//! Adaptive shedding in front of servers that refuse work: "client-side throttling" of Google's Site Reliability Engineering,
//! chapter 21, "Handling Overload".
//!
//! Owns the counts and the chance. A refusal costs a busy server nearly as much as a cheap answer, so whoever asks it keeps
//! count of what it accepts, and refuses a share of the rest itself: max(0, (requests - k x accepts) / (requests + 1)). Of the
//! crates, tower's `load_shed` refuses only while a service is not ready, and loadpace-tower, which is a release candidate, paces
//! each endpoint; the rule itself is a line.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use rand_0_9::Rng;
use tokio::time::Instant;

/// When requests are refused without asking.
#[derive(Clone, Copy, Debug)]
pub struct ThrottleRules {
    /// How long requests are remembered. The book has two minutes, for thousands of callers; one caller that remembers so much
    /// refuses long after the rush is over.
    pub window: Duration,
    /// How many requests per accepted one are let through: with 2, a server that accepts half of what it is asked is asked
    /// everything, and learns at once when it can do more.
    pub k: f64,
}

impl Default for ThrottleRules {
    fn default() -> ThrottleRules {
        ThrottleRules { window: Duration::from_secs(4), k: 2.0 }
    }
}

/// How many parts the window has, of which the oldest is forgotten at a time.
const PARTS: u32 = 8;

/// What was asked and accepted within the window.
pub struct Throttle {
    rules: ThrottleRules,
    parts: Mutex<VecDeque<Part>>,
}

struct Part {
    began: Instant,
    requests: i64,
    /// Those that were sent, without those that were refused meanwhile, even if they had been sent in another part.
    accepts: i64,
}

impl Throttle {
    /// Nothing was asked yet.
    pub fn new(rules: ThrottleRules) -> Throttle {
        Throttle { rules, parts: Mutex::default() }
    }

    /// Counts a request, and says whether to refuse it without asking.
    ///
    /// What is still in progress counts as accepted. A refusal comes at once and an answer takes its time, so that the first
    /// moments of a rush would else look as if nothing were accepted.
    pub fn refuses(&self) -> bool {
        let chance = self.count(1, 0);
        let is_refused = chance > 0.0 && rand_0_9::rng().random_bool(chance);
        if !is_refused {
            self.count(0, 1);
        }
        is_refused
    }

    /// Counts that the servers refused a request that was let through.
    pub fn was_refused(&self) {
        self.count(0, -1);
    }

    /// Adds to the counts. Returns the chance with which the next request is refused, from what was counted before.
    fn count(&self, requests: i64, accepts: i64) -> f64 {
        let now = Instant::now();
        let mut parts = self.parts.lock().expect("no holder of the counts panics");
        parts.retain(|part| now.duration_since(part.began) < self.rules.window);
        let (asked, accepted) = parts.iter().fold((0, 0), |(a, b), part| (a + part.requests, b + part.accepts));
        if parts.back().is_none_or(|part| now.duration_since(part.began) >= self.rules.window / PARTS) {
            parts.push_back(Part { began: now, requests: 0, accepts: 0 });
        }
        let part = parts.back_mut().expect("a part was added if there was none");
        part.requests += requests;
        part.accepts += accepts;
        // Those that were refused after the part in which they were sent is forgotten may outnumber the accepted.
        let (asked, accepted) = (asked as f64, accepted.max(0) as f64);
        self.rules.k.mul_add(-accepted, asked).max(0.0) / (asked + 1.0)
    }
}
