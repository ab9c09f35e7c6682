//! All links of a world, one per direction, and the two ways to stop a segment: dropping it, or answering it with a
//! reset.

use std::time::Duration;

use super::link::{Link, WireSettings, within};
use crate::net::flow::Side;
use crate::net::kernel::Net;
use crate::seed::Seed;
use crate::trace::{Event, FlowKey, HostId, SegmentKind};

/// The links between all hosts, and the seed that decides what happens on them.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) seed: Seed,
    /// The links by source host, then by destination host. A host that has sent nothing yet, and from which no link differs
    /// from the others, has none.
    pub(super) by_host: Vec<Vec<Link>>,
    /// A link that differs in nothing.
    plain: Link,
    /// How often each fault of the plan was effective.
    pub(super) effects: Vec<u64>,
}

impl Links {
    pub(super) fn new(settings: &WireSettings, hosts: usize, faults: usize) -> Links {
        let plain = Link { latency: settings.latency.clone(), faults: Vec::new(), stalled: Vec::new() };
        let by_host = (0..hosts).map(|_| Vec::new()).collect();
        let mut links = Links { seed: settings.seed, by_host, plain, effects: vec![0; faults] };
        for (a, b, latency) in &settings.latencies {
            links.between_mut(*a, *b).latency = latency.clone();
            links.between_mut(*b, *a).latency = latency.clone();
        }
        links
    }

    /// The link from one host to another.
    pub(super) fn between(&self, from: HostId, to: HostId) -> &Link {
        self.by_host[from.index()].get(to.index()).unwrap_or(&self.plain)
    }

    /// The link from one host to another, for changes.
    pub(super) fn between_mut(&mut self, from: HostId, to: HostId) -> &mut Link {
        self.fill(from);
        &mut self.by_host[from.index()][to.index()]
    }

    /// Makes the links from a host.
    #[inline]
    pub(super) fn fill(&mut self, from: HostId) {
        if self.by_host[from.index()].is_empty() {
            let latency = &self.plain.latency;
            let link = || Link { latency: latency.clone(), faults: Vec::new(), stalled: Vec::new() };
            self.by_host[from.index()] = (0..self.by_host.len()).map(|_| link()).collect();
        }
    }

    /// Counts and records that a fault kept a segment, or a part of it, from passing.
    pub(super) fn record_block(&mut self, net: &mut Net, id: u32, fault: u32, at: Duration) {
        self.effects[fault as usize] += 1;
        record(net, id, fault, at, Effect::default());
    }

    /// Counts and records that a fault lost a transmission of a segment.
    pub(super) fn record_loss(&mut self, net: &mut Net, id: u32, fault: u32, at: Duration) {
        self.effects[fault as usize] += 1;
        let lost = net.packets.get(id).map_or(0, |packet| 1_u32.checked_shl(packet.attempt).unwrap_or_default());
        record(net, id, fault, at, Effect { lost, ..Effect::default() });
    }

    /// A firewall in the middle of the link drops a segment and sends a reset to its sender: half the way there and
    /// half the way back add up to one latency. A reset and a datagram are not answered.
    pub(super) fn answer_with_reset(&mut self, net: &mut Net, id: u32, at: Duration) {
        let Some(packet) = net.packets.get(id) else { return };
        let (flow_id, side, ordinal) = (packet.flow, packet.side, packet.ordinal);
        let is_answered = packet.kind != SegmentKind::Rst && !packet.is_datagram();
        drop(net.packets.take(id));
        if !is_answered {
            return;
        }
        let flow = &net.flows[flow_id as usize];
        let (from, to, key) = (flow.host(side), flow.host(side.other()), flow.key);
        let unit = self.seed.decide_unit("latency", &decision(key, side, ordinal, 0));
        let due = at + within(&self.between(from, to).latency, unit);
        net.inject_reset(flow_id, side, at, due);
    }
}

/// The effect of a fault on a segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effect {
    /// Bit n for the n-th transmission, if it was lost.
    pub(super) lost: u32,
    /// The additional delay.
    pub(super) extra: Duration,
    /// The segment's total delay, if it arrives.
    pub(super) late: Option<Duration>,
}

/// Records the effect of a fault on a segment.
pub(super) fn record(net: &Net, id: u32, fault: u32, at: Duration, Effect { lost, extra, late }: Effect) {
    let Some(packet) = net.packets.get(id) else { return };
    let flow = &net.flows[packet.flow as usize];
    let (forward, segment, kind) = (packet.side == Side::Client, packet.ordinal, packet.kind);
    let event =
        Event::SegmentAffected { fault: Some(fault), flow: flow.key, forward, segment, kind, lost, extra, late };
    net.recording.lock().trace.push(at, Some(flow.host(packet.side)), event);
}

/// The key of a decision about one transmission of a segment.
pub(super) fn decision(key: FlowKey, side: Side, ordinal: u32, attempt: u32) -> [u64; 4] {
    let segment = (u64::from(ordinal) << 1) | side.index() as u64;
    let hosts = (u64::from(key.from.0) << 32) | (u64::from(key.to.0) << 16) | u64::from(key.port);
    [hosts, u64::from(key.ordinal), segment, u64::from(attempt)]
}

/// Whether a segment of this kind carries the output of a program, or the end of it.
pub(super) fn is_from_program(kind: SegmentKind) -> bool {
    matches!(kind, SegmentKind::Data | SegmentKind::Fin)
}

/// Whether a segment of this kind leaves its machine only when its program's output does.
pub(super) fn is_output(kind: SegmentKind) -> bool {
    is_from_program(kind) || kind == SegmentKind::Datagram
}
