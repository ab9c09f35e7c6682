//! Which links a fault befalls, and what it is to the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::state::World;
use crate::fault::{self, Fault, FaultKind, SegmentFate, Selector, Target};
use crate::net::{BlockKind, Chain, Fates, IdleWatch, LinkFault, Queue, Stream, StreamKind};
use crate::trace::{FlowKey, HostId};

impl World<'_> {
    pub(super) fn resolve(&self, hosts: &Selector, index: usize, side: u64) -> Vec<HostId> {
        match hosts {
            Selector::Here => self.begun[index].and_then(|begun| begun.here).into_iter().collect(),
            hosts => hosts.resolve(self.spec.topology, fault::pick(self.spec.seed, index, side)),
        }
    }

    /// The directed links that a fault befalls, and what befalls them.
    pub(super) fn link_faults(&self, index: usize) -> Vec<(HostId, HostId, LinkFault)> {
        let fault = &self.spec.plan.faults[index];
        if fault.kind == FaultKind::OutputStall {
            return self.output_stalls(fault, index);
        }
        let Some((first, second)) = fault.target.sides() else { return Vec::new() };
        if let FaultKind::Segments { fates } = &fault.kind {
            return self.segment_faults(fates);
        }
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
        let begins = self.begun[index].map_or(self.now, |begun| begun.at);
        let until = begins.saturating_add(fault.lasting).min(self.spec.run_for);
        let pairs = pairs.into_iter();
        pairs.filter_map(|(from, to)| Some((from, to, link_fault(fault, from, to, begins, until)?))).collect()
    }

    /// The ways from machines whose programs are mute to all others.
    fn output_stalls(&self, fault: &Fault, index: usize) -> Vec<(HostId, HostId, LinkFault)> {
        let Target::Hosts(hosts) = &fault.target else { return Vec::new() };
        let all = (0..self.spec.hosts.len()).map(|other| HostId(other as u16));
        let ways =
            self.resolve(hosts, index, 0).into_iter().flat_map(|host| all.clone().map(move |other| (host, other)));
        let ways = ways.filter(|(host, other)| host != other);
        ways.map(|(host, other)| (host, other, LinkFault::Block(BlockKind::OutputStall))).collect()
    }

    /// The directed links that single segments cross, and what becomes of those.
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

/// What a fault is to one direction of a link; none for faults of hosts and of single segments.
/// Transmissions are decided when their segment is first sent, so that each fault says until when it acts.
fn link_fault(fault: &Fault, from: HostId, to: HostId, begins: Duration, until: Duration) -> Option<LinkFault> {
    let stream = |kind: StreamKind| LinkFault::Stream(Stream::new(kind));
    let what = match &fault.kind {
        FaultKind::Partition | FaultKind::PartitionOneWay => LinkFault::Block(BlockKind::Partition),
        FaultKind::PartitionWithReset => LinkFault::Block(BlockKind::PartitionWithReset),
        FaultKind::Hold => LinkFault::Block(BlockKind::Hold),
        FaultKind::Loss { rate } => LinkFault::Loss { rate: *rate, until },
        FaultKind::BurstLoss { gap, burst, rate } => {
            LinkFault::Burst { chain: Chain::new(from, to, begins, *gap, *burst), rate: *rate, until }
        }
        FaultKind::Latency { at_least, at_most } => {
            LinkFault::Latency { at_least: *at_least, at_most: *at_most, until }
        }
        FaultKind::LatencyWave { peak } => LinkFault::Wave { peak: *peak, begins, lasting: fault.lasting },
        FaultKind::Bandwidth { bytes_per_second, queue_bytes } => {
            LinkFault::Bandwidth { queue: Queue::new(*bytes_per_second, *queue_bytes), until }
        }
        FaultKind::Reset { after_bytes } => {
            stream(StreamKind::Break { after_bytes: *after_bytes, is_graceful: false, until })
        }
        FaultKind::Close { after_bytes } => {
            stream(StreamKind::Break { after_bytes: *after_bytes, is_graceful: true, until })
        }
        FaultKind::Stall { after_bytes } => stream(StreamKind::Stall { after_bytes: *after_bytes }),
        FaultKind::Trickle { bytes, every } => stream(StreamKind::Trickle { bytes: *bytes, every: *every, until }),
        FaultKind::Corrupt { rate } => LinkFault::Corrupt { rate: *rate, until },
        FaultKind::CloseIdle { idle_for } => LinkFault::CloseIdle(IdleWatch::new(*idle_for)),
        FaultKind::HalfOpen => LinkFault::HalfOpen,
        FaultKind::Segments { .. }
        | FaultKind::Kill
        | FaultKind::PowerOff
        | FaultKind::Stop { .. }
        | FaultKind::DiskErrors { .. }
        | FaultKind::DiskFull { .. }
        | FaultKind::DiskSlow { .. }
        | FaultKind::DiskCorruption { .. }
        | FaultKind::LostSyncs
        | FaultKind::ShortReads { .. }
        | FaultKind::ShortWrites { .. }
        | FaultKind::SmallWindow { .. }
        | FaultKind::OutputStall
        | FaultKind::SlowStart { .. }
        | FaultKind::OutOfMemory { .. }
        | FaultKind::ClockSkew { .. }
        | FaultKind::ClockDrift { .. }
        | FaultKind::DnsSlow { .. }
        | FaultKind::DnsBlackhole
        | FaultKind::DnsNotFound => return None,
    };
    Some(what)
}
