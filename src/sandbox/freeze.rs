//! Freezing a host: none of its tasks is polled and none of its timers fires, while time goes on for all others.
//!
//! Turmoil runs each host in each step by blocking on a sleep of one step. A sleep whose deadline the runtime's timers
//! have passed is ready when it is first polled, which is before any task is. So the clock of a frozen runtime is set
//! back to where it was a step ago, and the sleep of every further step ends at once. A paused tokio clock cannot be set
//! back, but a running one reads the C library's, which is ours; so the runtime's time runs from the step before on.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::Handle;

use super::clock::nanos;
use super::platform;
use super::simulated::simulation;

/// Whether hosts can be frozen: only where the clocks of the C library are replaced.
pub const CAN_FREEZE: bool = platform::INTERPOSES;

/// A host that is about to be frozen, or is.
#[derive(Debug)]
pub struct Freeze {
    host: usize,
    runtime: Handle,
    /// The virtual time at which the runtime's time began to run.
    since: u64,
}

impl Freeze {
    /// Prepares to freeze a host. It must then run for one step. `None` if its runtime cannot be frozen, because its
    /// program does not use paused time.
    pub fn prepare(host: usize, runtime: Handle) -> Option<Freeze> {
        let clocks = &simulation().filter(|_| CAN_FREEZE)?.clocks;
        if !clocks.is_paused(host) {
            return None;
        }
        let since = {
            let _entered = runtime.enter();
            let now = clocks.peek().virtual_nanos;
            clocks.set_paused(host, false);
            tokio::time::resume();
            now
        };
        Some(Freeze { host, runtime, since })
    }

    /// Freezes the host, after the step that [`Freeze::prepare`] asks for.
    pub fn begin(&self) {
        if let Some(simulation) = simulation() {
            simulation.clocks.set_frozen(self.host, Some(self.since));
        }
    }

    /// Lets the host go on at this time, the start of the coming step. Its timers that are due by then are late.
    pub fn end(self, now: Duration) {
        let Some(simulation) = simulation() else { return };
        let clocks = &simulation.clocks;
        clocks.set_frozen(self.host, None);
        let _entered = self.runtime.enter();
        tokio::time::pause();
        clocks.set_paused(self.host, true);
        let behind = nanos(now).saturating_sub(clocks.tokio_nanos(self.host));
        // The first poll advances the clock, and the second would only yield.
        let advance = pin!(tokio::time::advance(Duration::from_nanos(behind)));
        let _ = advance.poll(&mut Context::from_waker(Waker::noop()));
    }

    /// Forgets the freeze of a host whose runtime is about to be dropped.
    pub fn forget(self) {
        if let Some(simulation) = simulation() {
            simulation.clocks.set_frozen(self.host, None);
        }
    }
}
