//! The numbers of the promises.

use std::time::Duration;

use crate::fault::{millis, secs};
use crate::trace::Trace;
use crate::trace::exchange::Call;

/// The numbers of the promises about HTTP. The defaults are those of well-known systems.
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
    /// R3: how many requests of one trace with the same method and path the hosts of one group receive at most. The default
    /// is that of `most_attempts`: only one layer retries.
    pub most_attempts_at_a_hop: u32,
    /// Requests that may be sent again although their method does not say so: method and path, for example `POST /login`.
    pub also_safe: Vec<String>,
    /// The paths of probes, which are repeated for ever and are no calls.
    pub probes: Vec<String>,
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
            most_attempts_at_a_hop: 3,
            also_safe: Vec::new(),
            probes: ["/health", "/healthz", "/live", "/livez", "/ready", "/readyz"].map(str::to_owned).to_vec(),
            alike_within: secs(5),
            slack: millis(50),
        }
    }
}

impl HttpPolicy {
    /// The calls that a run's exchanges are attempts of, without probes.
    pub(super) fn calls(&self, trace: &Trace) -> Vec<Call> {
        let exchanges = trace.exchanges();
        let is_probe = |call: &&Call| {
            let first = call.attempts.first().map(|first| exchanges[*first].path_only());
            self.probes.iter().any(|probe| Some(probe.as_str()) == first)
        };
        trace.calls(self.alike_within).iter().filter(|call| !is_probe(call)).cloned().collect()
    }
}
