//! What is wrong with a machine that goes on running: its disk, its clocks, its sockets.

use super::World;
use crate::fault::{Fault, FaultKind, Target};
use crate::net::SocketLimits;
use crate::trace::HostId;

impl World<'_> {
    /// A fault of this host began or ended: what the faults that act on it now come down to takes effect at once.
    pub(super) fn afflict(&mut self, host: HostId) {
        let mut limits = SocketLimits::default();
        for (index, fault) in self.acting_on(host) {
            match &fault.kind {
                FaultKind::ShortReads { at_most_bytes } => limits.read.lower(*at_most_bytes, index),
                FaultKind::ShortWrites { at_most_bytes } => limits.write.lower(*at_most_bytes, index),
                FaultKind::SmallWindow { bytes } => limits.window.lower(*bytes, index),
                _ => {}
            }
        }
        self.net.lock().limit_sockets(host, limits);
    }

    /// The faults that act on this host now and do not take it down, with their places in the plan.
    fn acting_on(&self, host: HostId) -> Vec<(usize, &Fault)> {
        let acts = |index: usize, fault: &Fault| match &fault.target {
            Target::Hosts(hosts) => self.resolve(hosts, index, 0).contains(&host),
            Target::Links { .. } | Target::OneWay { .. } => false,
        };
        let active = self.active.iter().map(|index| (*index, &self.spec.plan.faults[*index]));
        active.filter(|(index, fault)| !fault.kind.takes_hosts_down() && acts(*index, fault)).collect()
    }
}
