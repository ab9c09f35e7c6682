//! The kernels of machines whose process is paused. No task of such a machine runs, not even the one that runs its kernel,
//! so the world runs it.

use std::time::Duration;

use super::kernel::Net;
use crate::trace::HostId;

impl Net {
    /// When the kernel of a machine next has something to do.
    pub(crate) fn next_due(&self, host: HostId) -> Option<Duration> {
        self.kernels[host.index()].next_due()
    }

    /// Lets the kernel of a frozen machine do what is due.
    pub(crate) fn run_frozen(&mut self, host: HostId, now: Duration) {
        self.process(host, now);
    }
}
