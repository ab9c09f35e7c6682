//! What is wrong with a machine that goes on running: its disk, its clocks, its sockets.

use super::World;
use crate::fault::{Fault, Target};
use crate::trace::HostId;

impl World<'_> {
    /// A fault of this host began or ended: what the faults that act on it now come down to takes effect at once.
    pub(super) fn afflict(&mut self, host: HostId) {
        let _acting: Vec<(usize, &Fault)> = self.acting_on(host);
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
