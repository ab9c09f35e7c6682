//! The links that each fault affects, and the fault of each link on the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::injection::{FaultyLink, Injection};
use super::state::World;
use crate::fault::{self, Fault, SegmentFate, Selector, Target};
use crate::net::{BlockKind, Fates, LinkFault};
use crate::trace::{FlowKey, HostId};

impl World<'_> {
    pub(super) fn resolve(&self, hosts: &Selector, index: usize, side: u64) -> Vec<HostId> {
        match hosts {
            Selector::Here => self.fault_starts[index].and_then(|start| start.here).into_iter().collect(),
            hosts => hosts.resolve(self.spec.topology, fault::pick(self.spec.seed, index, side)),
        }
    }

    /// The directed links that a fault affects, each with its fault on the wire.
    pub(super) fn link_faults(&self, index: usize) -> Vec<(HostId, HostId, LinkFault)> {
        let fault = &self.spec.plan.faults[index];
        let link_fault = match Injection::of(&fault.kind) {
            Injection::Link(link_fault) => link_fault,
            Injection::Segments(fates) => return self.segment_faults(fates),
            Injection::OutputStall => return self.output_stalls(fault, index),
            Injection::Down(_)
            | Injection::Disk(_)
            | Injection::Sockets(_)
            | Injection::Clock(_)
            | Injection::Pause
            | Injection::SlowStart(_)
            | Injection::OutOfMemory { .. }
            | Injection::Names(_) => return Vec::new(),
        };
        let Some((first, second)) = fault.target.sides() else { return Vec::new() };
        let is_one_way = matches!(fault.target, Target::OneWay { .. }) || fault.kind.is_one_way();
        let mut pairs = BTreeSet::new();
        for a in self.resolve(first, index, 0) {
            for b in self.resolve(second, index, 1) {
                if a != b {
                    pairs.insert((a, b));
                    if !is_one_way {
                        pairs.insert((b, a));
                    }
                }
            }
        }
        let (begins, lasting) = (self.fault_starts[index].map_or(self.now, |start| start.at), fault.lasting);
        let until = begins.saturating_add(lasting).min(self.spec.run_for);
        let on_link = |(from, to)| (from, to, link_fault(&FaultyLink { from, to, begins, lasting, until }));
        pairs.into_iter().map(on_link).collect()
    }

    /// The directed links from each machine whose output is stalled to all others.
    fn output_stalls(&self, fault: &Fault, index: usize) -> Vec<(HostId, HostId, LinkFault)> {
        let Target::Hosts(hosts) = &fault.target else { return Vec::new() };
        let all = (0..self.spec.hosts.len()).map(|other| HostId(other as u16));
        let pairs =
            self.resolve(hosts, index, 0).into_iter().flat_map(|host| all.clone().map(move |other| (host, other)));
        let pairs = pairs.filter(|(host, other)| host != other);
        pairs.map(|(host, other)| (host, other, LinkFault::Block(BlockKind::OutputStall))).collect()
    }

    /// The directed links that the named segments cross, each with the fates of its segments.
    fn segment_faults(&self, fates: &[SegmentFate]) -> Vec<(HostId, HostId, LinkFault)> {
        let host = |name: &str| {
            let index = self.spec.hosts.iter().position(|host| host.name == name);
            index.map_or(HostId::UNKNOWN, |index| HostId(index as u16))
        };
        let mut links: BTreeMap<(HostId, HostId), Fates> = BTreeMap::new();
        for fate in fates {
            let (from, to) = (host(&fate.from), host(&fate.to));
            if from == HostId::UNKNOWN || to == HostId::UNKNOWN {
                continue;
            }
            let link = if fate.back { (to, from) } else { (from, to) };
            let key = FlowKey { from, to, port: fate.port, ordinal: fate.connect };
            let lost = fate
                .lost
                .iter()
                .filter(|lost| **lost < fault::TRANSMISSIONS)
                .fold(0, |lost, number| lost | 1 << number);
            // A segment may be named twice, once as lost and once as late.
            let known = links.entry(link).or_default().entry((key, !fate.back, fate.segment)).or_default();
            known.lost |= lost;
            known.late += fate.late;
            known.corrupted.extend(&fate.corrupted);
        }
        let links = links.into_iter();
        links.map(|((from, to), fates)| (from, to, LinkFault::Segments(Arc::new(fates)))).collect()
    }
}
