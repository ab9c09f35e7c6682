//! What is wrong with a machine that goes on running: its disk, its clocks, its sockets.

use super::World;
use crate::disk::{DiskCall, DiskSpeed, Trouble};
use crate::fault::{DiskCalls, Fault, FaultKind, Target};
use crate::net::SocketLimits;
use crate::trace::HostId;

impl World<'_> {
    /// A fault of this host began or ended: what the faults that act on it now come down to takes effect at once.
    pub(super) fn afflict(&mut self, host: HostId) {
        let acting = self.acting_on(host);
        let troubles: Vec<(u32, Trouble)> =
            acting.iter().filter_map(|(index, fault)| Some((*index as u32, disk_trouble(&fault.kind)?))).collect();
        self.disks[host.index()].set_troubles(&troubles);
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

/// What a fault is to a disk; none if it is none of disks.
fn disk_trouble(kind: &FaultKind) -> Option<Trouble> {
    let trouble = match *kind {
        FaultKind::DiskErrors { rate, calls } => {
            let call = match calls {
                DiskCalls::All => None,
                DiskCalls::Reads => Some(DiskCall::Read),
                DiskCalls::Writes => Some(DiskCall::Write),
                DiskCalls::Syncs => Some(DiskCall::Sync),
            };
            Trouble::Errors { call, rate }
        }
        FaultKind::DiskFull { free_bytes } => Trouble::Full { free_bytes },
        FaultKind::DiskSlow { read, write, sync } => Trouble::Slow(DiskSpeed { read, write, sync }),
        FaultKind::DiskFlips { rate } => Trouble::Flips { rate },
        FaultKind::LostSyncs => Trouble::LostSyncs,
        _ => return None,
    };
    Some(trouble)
}
