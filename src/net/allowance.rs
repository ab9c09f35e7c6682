//! How often a kernel tells one peer by ICMP that nobody has a port: Linux's `icmp_ratelimit`, a bucket of tokens.

use std::time::Duration;

/// The time in which one more answer is allowed.
const INTERVAL: Duration = Duration::from_secs(1);

/// The most answers at once.
const BURST: u32 = 6;

/// The answers that one peer may still get.
#[derive(Debug)]
pub(super) struct Allowance {
    /// The time that has been saved up for answers.
    saved: Duration,
    counted_at: Duration,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance { saved: INTERVAL * BURST, counted_at: Duration::ZERO }
    }
}

impl Allowance {
    /// Takes one answer, if one is left.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let saved = (self.saved + now.saturating_sub(self.counted_at)).min(INTERVAL * BURST);
        self.counted_at = now;
        let left = saved.checked_sub(INTERVAL);
        self.saved = left.unwrap_or(saved);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_answers_at_once_and_then_one_in_each_second() {
        let mut allowance = Allowance::default();
        let mut count = |from_ms: u64, to_ms: u64| {
            (from_ms..to_ms).filter(|at_ms| allowance.take(Duration::from_millis(*at_ms))).count()
        };
        assert_eq!(count(5_000, 5_900), 6);
        assert_eq!(count(5_900, 6_000), 0);
        assert_eq!(count(6_000, 9_500), 4, "at 6, 7, 8 and 9 s");
        assert_eq!(count(60_000, 60_100), 6, "never more than six are saved up");
    }
}
