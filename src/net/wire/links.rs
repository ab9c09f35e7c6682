//! All links of a world, each direction for itself, and how a segment is stopped on one: dropped, or answered with a reset.
//! It knows nothing of when faults begin and end.

use std::ops::Range;
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
    /// By the host from which they lead, then by the one to which they do.
    pub(super) by_host: Vec<Vec<Link>>,
    /// How often each fault of the plan changed something.
    pub(super) effects: Vec<u64>,
}

impl Links {
    pub(super) fn new(settings: &WireSettings, hosts: usize, faults: usize) -> Links {
        let link = |from: usize, to: usize| {
            let of_pair = |(a, b, _): &&(HostId, HostId, Range<Duration>)| {
                (a.index(), b.index()) == (from, to) || (a.index(), b.index()) == (to, from)
            };
            let own = settings.latencies.iter().rev().find(of_pair);
            let latency = own.map_or(&settings.latency, |(_, _, latency)| latency).clone();
            Link { latency, faults: Vec::new(), stalled: Vec::new() }
        };
        let by_host = (0..hosts).map(|from| (0..hosts).map(|to| link(from, to)).collect()).collect();
        Links { seed: settings.seed, by_host, effects: vec![0; faults] }
    }

    /// The link from one host to another.
    pub(super) fn between(&self, from: HostId, to: HostId) -> &Link {
        &self.by_host[from.index()][to.index()]
    }

    /// The link from one host to another, to be changed.
    pub(super) fn between_mut(&mut self, from: HostId, to: HostId) -> &mut Link {
        &mut self.by_host[from.index()][to.index()]
    }

    /// Counts and records that a fault lets a segment not pass.
    pub(super) fn affected_by_block(&mut self, net: &mut Net, id: u32, fault: u32, at: Duration) {
        let Some(packet) = net.packets.get(id) else { return };
        let flow = &net.flows[packet.flow as usize];
        self.effects[fault as usize] += 1;
        let event = Event::SegmentAffected {
            fault: Some(fault),
            flow: flow.key,
            forward: packet.side == Side::Client,
            segment: packet.ordinal,
            kind: packet.kind,
            lost: 0,
            extra: Duration::ZERO,
            late: None,
        };
        net.tape.lock().trace.push(at, Some(flow.host(packet.side)), event);
    }

    /// A firewall in the middle of the link drops a segment and sends its sender a reset: half the way there and half the
    /// way back are one latency. A reset is not answered.
    pub(super) fn answer_with_reset(&mut self, net: &mut Net, id: u32, at: Duration) {
        let Some(packet) = net.packets.get(id) else { return };
        let (flow_id, side, ordinal) = (packet.flow, packet.side, packet.ordinal);
        let is_reset = packet.kind == SegmentKind::Rst;
        drop_packet(net, id, at);
        if is_reset {
            return;
        }
        let flow = &net.flows[flow_id as usize];
        let (from, to, key) = (flow.host(side), flow.host(side.other()), flow.key);
        let unit = self.seed.decide_unit("latency", &decision(key, side, ordinal, 0));
        let due = at + within(&self.between(from, to).latency, unit);
        net.reset_from_outside(flow_id, side, at, due);
    }
}

/// What names a decision about one transmission of a segment.
pub(super) fn decision(key: FlowKey, side: Side, ordinal: u32, attempt: u32) -> [u64; 4] {
    let segment = (u64::from(ordinal) << 1) | side.index() as u64;
    let hosts = (u64::from(key.from.0) << 32) | (u64::from(key.to.0) << 16) | u64::from(key.port);
    [hosts, u64::from(key.ordinal), segment, u64::from(attempt)]
}

/// Whether such a segment carries what a program sends, or the end of it.
pub(super) fn is_by_program(kind: SegmentKind) -> bool {
    matches!(kind, SegmentKind::Data | SegmentKind::Fin)
}

/// Whether a kernel sends such a segment only when its peer or program asks for it again.
pub(super) fn is_sent_once(kind: SegmentKind) -> bool {
    matches!(kind, SegmentKind::Syn | SegmentKind::SynAck | SegmentKind::Rst)
}

/// A segment is lost. If it has a datagram, this is still delivered, to be thrown away.
pub(super) fn drop_packet(net: &mut Net, id: u32, at: Duration) {
    if net.packets.get(id).is_some_and(|packet| packet.follows.is_some()) {
        net.packets.take(id);
    } else if let Some(packet) = net.packets.get_mut(id) {
        packet.dropped = true;
        packet.due = at;
    }
}
