//! What a program asks of keep-alive, and what its kernel then knows of the peer.

use std::time::Duration;

/// When a kernel probes an idle connection: Linux's `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How long nothing may arrive before the first probe.
    pub idle: Duration,
    /// The time from one unanswered probe to the next, and from the last one to the failure.
    pub interval: Duration,
    /// How many probes stay unanswered before the connection fails.
    pub retries: u32,
}

/// Linux's defaults: 2 hours, 75 seconds, 9 probes.
impl Default for KeepAlive {
    fn default() -> KeepAlive {
        KeepAlive { idle: Duration::from_secs(7_200), interval: Duration::from_secs(75), retries: 9 }
    }
}

/// What a kernel knows of an end that it keeps alive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) settings: KeepAlive,
    /// When a segment or an acknowledgement last arrived.
    pub(super) heard_at: Duration,
    /// Probes sent since then.
    pub(super) probes: u32,
    /// When the kernel next looks.
    pub(super) due: Duration,
}
