//! The numbers of the promises.

use std::time::Duration;

use crate::fault::{millis, secs};
use crate::trace::Trace;
use crate::trace::exchange::{Call, Exchange};

/// The numbers of the promises about HTTP. The defaults are those of well-known systems.
///
/// ```
/// use squall::check::http::HttpPolicy;
/// use squall::prelude::*;
///
/// let policy = HttpPolicy { most_attempts: 4, also_safe: vec!["POST /login".to_owned()], ..HttpPolicy::default() };
/// let scenario = Scenario::new("service").http_promises(&policy);
/// assert!(scenario.check_names().any(|name| name.starts_with("R1 ")));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HttpPolicy {
    /// R1: how many attempts a call makes at most. The default is 3, as in AWS's clients.
    pub most_attempts: u32,
    /// R2: in every window of this length ...
    pub budget_window: Duration,
    /// ... the retries of a client host are at most this share of its calls in that window and the one before it ...
    pub budget_ratio: f64,
    /// ... plus this many. The defaults (10 s, 20 %, 100) are Finagle's: 20 %, and 10 in each second.
    pub budget_minimum: f64,
    /// R4: retries after the same number of failures are spread: a twentieth of their range holds at most this share of them.
    /// The default of 10 % lets waits be anywhere in the upper half of their range ("equal jitter").
    pub most_retries_at_once: f64,
    /// R3: how many requests of one trace with the same method and path the hosts of one group receive at most. The default
    /// is that of `most_attempts`: only one layer retries.
    pub most_attempts_at_a_hop: u32,
    /// R8: a host is well for a client that it has answered so long ago at most. The default is 5 s.
    pub healthy_for: Duration,
    /// Requests that may be sent again although their method does not say so: method and path, for example `POST /login`.
    pub also_safe: Vec<String>,
    /// The paths of probes, which are repeated for ever and are no calls. Those that have `ready` in their names may depend on
    /// other services (H5).
    pub probes: Vec<String>,
    /// The paths of responses that never end, for example streams of events (P3).
    pub endless: Vec<String>,
    /// P2: how long a client keeps a connection on which nothing is asked. The default is twice the 90 s of reqwest and
    /// hyper-util, which look for idle connections only that often.
    pub idle_limit: Duration,
    /// P3: an exchange that began so long before the end of the run has ended by then, and so long after one side of a
    /// connection has seen the end of the other, it has closed it.
    pub quiet_after: Duration,
    /// P6: in every window of this length ...
    pub poll_window: Duration,
    /// ... a client host asks a host at most this often for the same. The defaults are 1 s and 100.
    pub most_polls: u32,
    /// Attempts without a key or a trace belong to one call if they are alike and no further apart than this.
    pub alike_within: Duration,
    /// How much later than stated things may happen, for code that rounds its timers and for the way to the other host.
    pub slack: Duration,
}

impl Default for HttpPolicy {
    fn default() -> HttpPolicy {
        HttpPolicy {
            most_attempts: 3,
            budget_window: secs(10),
            budget_ratio: 0.2,
            budget_minimum: 100.0,
            most_retries_at_once: 0.1,
            most_attempts_at_a_hop: 3,
            healthy_for: secs(5),
            also_safe: Vec::new(),
            probes: ["/health", "/healthz", "/live", "/livez", "/ready", "/readyz"].map(str::to_owned).to_vec(),
            endless: Vec::new(),
            idle_limit: secs(180),
            quiet_after: secs(60),
            poll_window: secs(1),
            most_polls: 100,
            alike_within: secs(5),
            slack: millis(50),
        }
    }
}

impl HttpPolicy {
    /// The calls that a run's exchanges are attempts of, without probes.
    pub(super) fn calls(&self, trace: &Trace) -> Vec<Call> {
        let exchanges = trace.exchanges();
        let is_probe = |call: &&Call| call.attempts.first().is_some_and(|first| self.is_probe(&exchanges[*first]));
        trace.calls(self.alike_within).iter().filter(|call| !is_probe(call)).cloned().collect()
    }

    /// Whether an exchange is a probe.
    pub(super) fn is_probe(&self, exchange: &Exchange) -> bool {
        let path = exchange.path_only();
        self.probes.iter().any(|probe| probe == path)
    }
}
