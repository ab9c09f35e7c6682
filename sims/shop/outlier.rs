//! Outlier ejection, modelled on Envoy's: a backend that fails many requests in a row gets none for a while, whatever its
//! probes say.
//!
//! Owns the counts, the times and the cap. The pool asks it which backends may be used.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// When a backend is ejected for its answers, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct OutlierRules {
    /// This many failures in a row eject a backend: answers with 5xx, broken connections and timeouts.
    pub failures: u32,
    /// How long the first ejection lasts; the n-th lasts n times as long.
    pub base: Duration,
    /// The longest ejection.
    pub longest: Duration,
    /// At most this share of the backends is ejected at once, but always one may be: when all fail, it is not they who are to
    /// blame, and the few that are left must not get the load of all.
    pub most: f64,
}

impl Default for OutlierRules {
    fn default() -> OutlierRules {
        OutlierRules { failures: 5, base: Duration::from_secs(30), longest: Duration::from_secs(300), most: 0.1 }
    }
}

/// The failures and ejections of all backends of a pool.
pub struct Outliers {
    rules: OutlierRules,
    // One lock for all, because the cap is about all.
    backends: Mutex<Vec<Record>>,
}

#[derive(Clone, Copy, Default)]
struct Record {
    failures: u32,
    /// How many ejections are remembered; one is forgotten for each `base` that passes without another.
    ejections: u32,
    until: Option<Instant>,
}

impl Outliers {
    /// Nobody has failed yet.
    pub fn new(rules: OutlierRules, backends: usize) -> Outliers {
        Outliers { rules, backends: Mutex::new(vec![Record::default(); backends]) }
    }

    /// Whether a backend is ejected at the moment.
    pub fn is_ejected(&self, index: usize) -> bool {
        let now = Instant::now();
        self.lock()[index].is_ejected(now)
    }

    /// Counts an answer that is no failure.
    pub fn succeeded(&self, index: usize) {
        self.lock()[index].failures = 0;
    }

    /// Counts a failure. If it ejects the backend, returns for how long.
    pub fn failed(&self, index: usize) -> Option<Duration> {
        let (now, mut backends) = (Instant::now(), self.lock());
        let ejected = backends.iter().filter(|record| record.is_ejected(now)).count();
        let most = ((backends.len() as f64 * self.rules.most) as usize).max(1);
        let record = &mut backends[index];
        record.failures += 1;
        // Requests that were sent before an ejection may still fail during it.
        if record.failures < self.rules.failures || ejected >= most || record.is_ejected(now) {
            return None;
        }
        record.ejections = record.remembered(now, self.rules.base) + 1;
        record.failures = 0;
        let lasting = self.rules.base.saturating_mul(record.ejections).min(self.rules.longest);
        record.until = Some(now + lasting);
        Some(lasting)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Record>> {
        self.backends.lock().expect("no holder of the records panics")
    }
}

impl Record {
    fn is_ejected(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// The ejections that still count.
    fn remembered(&self, now: Instant, base: Duration) -> u32 {
        let Some(until) = self.until else { return 0 };
        let forgotten = now.saturating_duration_since(until).as_nanos() / base.as_nanos().max(1);
        self.ejections.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }
}
