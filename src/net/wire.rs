//! The wire between the machines: it decides once for each segment when it arrives, if ever. It knows nothing of what
//! the kernels make of it.
//!
//! Every decision is a hash of the seed and of what is decided (connection, direction, n-th segment, n-th attempt), so
//! that taking one fault away leaves all other decisions as they were.

mod burst;
mod connections;
mod idle;
mod link;
mod queue;
mod release;
mod stream;

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::flow::{Flow, Packet, Side};
use super::kernel::Net;
use crate::fault::TRANSMISSIONS;
use crate::seed::Seed;
use crate::trace::{Event, FlowKey, HostId, SegmentKind};

pub(crate) use burst::Chain;
pub(crate) use idle::IdleWatch;
pub(crate) use link::{BlockKind, Fate, Fates, LinkFault, WireSettings};
pub(crate) use queue::Queue;
pub(crate) use stream::{Stream, StreamKind};

use link::{Hit, Link, Transmission, hit, within};
use release::Foreign;
use stream::Piece;

/// What Linux adds to the round trip before it sends bytes again (`TCP_RTO_MIN`).
const RETRANSMIT_AFTER: Duration = Duration::from_millis(200);
/// No retransmission timeout grows beyond this (`TCP_RTO_MAX`).
const RETRANSMIT_CAP: Duration = Duration::from_secs(120);

/// Decides the fate of all segments.
#[derive(Debug)]
pub(crate) struct Wire {
    seed: Seed,
    links: Vec<Vec<Link>>,
    /// Segments of code on plain turmoil sockets, by link in turmoil's order.
    foreign: Vec<VecDeque<Foreign>>,
    /// How often each fault of the plan changed something.
    pub(crate) effects: Vec<u64>,
    /// The links on which idle connections are closed, and by which fault.
    idle_links: Vec<(HostId, HostId, u32)>,
}

impl Wire {
    pub(crate) fn new(settings: &WireSettings, hosts: usize, faults: usize) -> Wire {
        let link = |from: usize, to: usize| {
            let of_pair = |(a, b, _): &&(HostId, HostId, Range<Duration>)| {
                (a.index(), b.index()) == (from, to) || (a.index(), b.index()) == (to, from)
            };
            let own = settings.latencies.iter().rev().find(of_pair);
            let latency = own.map_or(&settings.latency, |(_, _, latency)| latency).clone();
            Link { latency, faults: Vec::new(), stalled: Vec::new() }
        };
        let links = (0..hosts).map(|from| (0..hosts).map(|to| link(from, to)).collect()).collect();
        Wire { seed: settings.seed, links, foreign: Vec::new(), effects: vec![0; faults], idle_links: Vec::new() }
    }

    /// Something begins to be wrong with the link from one host to another, in this direction.
    pub(crate) fn begin(
        &mut self,
        net: &mut Net,
        from: HostId,
        to: HostId,
        fault: u32,
        what: LinkFault,
        now: Duration,
    ) {
        if what == LinkFault::HalfOpen {
            self.effects[fault as usize] += net.forget(to, from);
            return;
        }
        let closes_idle = matches!(what, LinkFault::CloseIdle(_));
        self.links[from.index()][to.index()].faults.push((fault, what));
        if closes_idle {
            self.idle_links.push((from, to, fault));
            self.close_idle_of(net, from, to, fault, now);
        }
    }

    /// A fault of this direction is over. If nothing else blocks it, what waited goes on.
    pub(crate) fn end(&mut self, net: &mut Net, from: HostId, to: HostId, fault: u32, now: Duration) {
        let link = &mut self.links[from.index()][to.index()];
        let Some(place) = link.faults.iter().position(|(id, _)| *id == fault) else { return };
        let (_, ended) = link.faults.remove(place);
        let ended = match ended {
            LinkFault::Stream(stream) => return self.let_go(net, stream, place, now),
            LinkFault::CloseIdle(_) => return self.idle_links.retain(|watched| *watched != (from, to, fault)),
            other => other,
        };
        let keeps_all = |what: &LinkFault| matches!(what, LinkFault::Block(BlockKind::Partition | BlockKind::Hold));
        let keeps = |what: &LinkFault| keeps_all(what) || *what == LinkFault::Block(BlockKind::Mute);
        // What waits does so because of a partition, a hold or a mute program, and until the last of them is over.
        if !keeps(&ended) || link.faults.iter().any(|(_, what)| keeps_all(what)) {
            return;
        }
        let is_stalled = link.faults.iter().any(|(_, what)| keeps(what));
        let stalled = std::mem::take(&mut link.stalled);
        for id in stalled {
            let link = &mut self.links[from.index()][to.index()];
            let Some(packet) = net.packets.get_mut(id) else { continue };
            let by_program = is_by_program(packet.kind);
            if is_stalled && by_program {
                link.stalled.push(id);
                continue;
            }
            let block = link.block(by_program);
            let attempt = match ended {
                // Its program is not heard before this moment.
                LinkFault::Block(BlockKind::Mute) => {
                    packet.sent_at = now;
                    now
                }
                // What was held was on its way; what was lost is sent again at its sender's next attempt.
                LinkFault::Block(BlockKind::Hold) => now.saturating_sub(link.latency.start),
                _ => next_attempt(packet.sent_at, now, link.retransmission_timeout()),
            };
            if let Some((fault, BlockKind::PartitionWithReset)) = block {
                self.affected_by_block(net, id, fault, now);
                self.answer_with_reset(net, id, attempt);
            } else {
                self.schedule(net, id, attempt);
            }
        }
    }

    /// A machine loses power: what a mute program has not got out of it is gone.
    pub(crate) fn forget_unsent(&mut self, net: &mut Net, from: HostId, now: Duration) {
        for link in &mut self.links[from.index()] {
            if !link.faults.iter().any(|(_, what)| *what == LinkFault::Block(BlockKind::Mute)) {
                continue;
            }
            for id in std::mem::take(&mut link.stalled) {
                if net.packets.get(id).is_some_and(|packet| is_by_program(packet.kind)) {
                    drop_packet(net, id, now);
                } else {
                    link.stalled.push(id);
                }
            }
        }
    }

    /// Counts and records that a fault lets a segment not pass.
    fn affected_by_block(&mut self, net: &mut Net, id: u32, fault: u32, at: Duration) {
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
    fn answer_with_reset(&mut self, net: &mut Net, id: u32, at: Duration) {
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
        let due = at + within(&self.links[from.index()][to.index()].latency, unit);
        net.reset_from_outside(flow_id, side, at, due);
    }

    /// When a sender tries again to reach a machine that has power again at `now`.
    pub(crate) fn next_arrival(&self, packet: &Packet, flow: &Flow, now: Duration) -> Duration {
        let (from, to) = (flow.host(packet.side), flow.host(packet.side.other()));
        let link = &self.links[from.index()][to.index()];
        next_attempt(packet.sent_at, now, link.retransmission_timeout()) + link.latency.start
    }

    /// Decides about all segments that were sent since the last call.
    pub(crate) fn decide(&mut self, net: &mut Net) {
        self.decide_before(net, Duration::MAX, u32::MAX);
    }

    /// Decides about the segments that were sent before this time, or at it with a lower ticket.
    pub(crate) fn decide_before(&mut self, net: &mut Net, at: Duration, ticket: u32) {
        let mut undecided = std::mem::take(&mut net.undecided);
        undecided.retain(|id| {
            let is_before = net.packets.get(*id).is_none_or(|packet| (packet.sent_at, *id) < (at, ticket));
            if is_before {
                self.decide_about(net, *id);
            }
            !is_before
        });
        net.undecided = undecided;
    }

    fn decide_about(&mut self, net: &mut Net, id: u32) {
        let Some(packet) = net.packets.get(id) else { return };
        let sent_at = packet.sent_at;
        let flow = &net.flows[packet.flow as usize];
        let (from, to, kind) = (flow.host(packet.side), flow.host(packet.side.other()), packet.kind);
        let Some((fault, block)) = self.links[from.index()][to.index()].block(is_by_program(kind)) else {
            return self.schedule(net, id, sent_at);
        };
        self.affected_by_block(net, id, fault, sent_at);
        match block {
            BlockKind::PartitionWithReset => self.answer_with_reset(net, id, sent_at),
            BlockKind::Partition if is_sent_once(kind) => drop_packet(net, id, sent_at),
            BlockKind::Partition | BlockKind::Hold | BlockKind::Mute => {
                self.links[from.index()][to.index()].stalled.push(id)
            }
        }
    }

    /// The segment is transmitted at `first`, and again until it gets through.
    fn schedule(&mut self, net: &mut Net, id: u32, first: Duration) {
        let Some(packet) = net.packets.get(id) else { return };
        let flow = &net.flows[packet.flow as usize];
        if flow.is_severed {
            return self.meet_severed(net, id, first);
        }
        let (side, kind, sent_at, key) = (packet.side, packet.kind, packet.sent_at, flow.key);
        let (from, to) = (flow.host(side), flow.host(side.other()));
        let (segment, forward) = (packet.ordinal, side == Side::Client);
        let name = |attempt: u32| decision(key, side, segment, attempt);
        let bytes = packet.bytes.len();
        let link = &mut self.links[from.index()][to.index()];
        let mut sent = Transmission { segment: (key, forward, segment), name: name(0), at: first, bytes };
        let mut attempt = 0;
        let mut hits = Vec::new();
        while let Some(fault) = link.lost(self.seed, &sent) {
            hit(&mut hits, fault).lost |= 1 << attempt;
            self.effects[fault as usize] += 1;
            attempt += 1;
            sent.name = name(attempt);
            if is_sent_once(kind) || attempt == TRANSMISSIONS {
                break;
            }
            sent.at = next_attempt(sent_at, sent.at + Duration::from_nanos(1), link.retransmission_timeout());
        }
        let is_dropped = !hits.is_empty() && is_sent_once(kind);
        let at = sent.at;
        let mut latency = Duration::ZERO;
        if !is_dropped {
            latency = within(&link.latency, self.seed.decide_unit("latency", &sent.name));
            for (fault, what) in &mut link.faults {
                let extra = what.extra(self.seed, &sent, sent_at);
                if !extra.is_zero() {
                    self.effects[*fault as usize] += 1;
                    hit(&mut hits, *fault).extra += extra;
                }
                latency += extra;
                if kind == SegmentKind::Data {
                    let is_corrupted = hits.iter().any(|hit| !hit.corrupted.is_empty());
                    let corrupted = what.corrupts(self.seed, &sent, &packet.bytes, is_corrupted);
                    if !corrupted.is_empty() {
                        self.effects[*fault as usize] += corrupted.len() as u64;
                        hit(&mut hits, *fault).corrupted = corrupted;
                    }
                }
            }
        }
        let late = (!is_dropped).then(|| at + latency - sent_at);
        for Hit { fault, lost, extra, corrupted } in hits {
            let event =
                Event::SegmentAffected { fault: Some(fault), flow: key, forward, segment, kind, lost, extra, late };
            net.tape.lock().trace.push(sent_at, Some(from), event);
            for bit in corrupted {
                let event = Event::SegmentCorrupted { fault, flow: key, forward, segment, bit };
                net.tape.lock().trace.push(sent_at, Some(from), event);
                net.corrupt(id, bit);
            }
        }
        if is_dropped {
            return drop_packet(net, id, sent_at);
        }
        self.pass(net, Piece { id, at, due: at + latency }, 0);
    }
}

/// What names a decision about one transmission of a segment.
fn decision(key: FlowKey, side: Side, ordinal: u32, attempt: u32) -> [u64; 4] {
    let segment = (u64::from(ordinal) << 1) | side.index() as u64;
    let hosts = (u64::from(key.from.0) << 32) | (u64::from(key.to.0) << 16) | u64::from(key.port);
    [hosts, u64::from(key.ordinal), segment, u64::from(attempt)]
}

/// Whether such a segment carries what a program sends, or the end of it.
fn is_by_program(kind: SegmentKind) -> bool {
    matches!(kind, SegmentKind::Data | SegmentKind::Fin)
}

/// Whether a kernel sends such a segment only when its peer or program asks for it again.
fn is_sent_once(kind: SegmentKind) -> bool {
    matches!(kind, SegmentKind::Syn | SegmentKind::SynAck | SegmentKind::Rst)
}

/// A segment is lost. If it has a datagram, this is still delivered, to be thrown away.
fn drop_packet(net: &mut Net, id: u32, at: Duration) {
    if net.packets.get(id).is_some_and(|packet| packet.follows.is_some()) {
        net.packets.take(id);
    } else if let Some(packet) = net.packets.get_mut(id) {
        packet.dropped = true;
        packet.due = at;
    }
}

/// The first transmission at or after `now` of a segment first sent at `sent_at`: after the timeout, then at twice its
/// distance each time (RFC 6298, section 5).
fn next_attempt(sent_at: Duration, now: Duration, timeout: Duration) -> Duration {
    let (mut at, mut gap) = (sent_at, timeout);
    while at < now {
        at += gap;
        gap = (gap * 2).min(RETRANSMIT_CAP);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_double_from_the_first_transmission() {
        let ms = Duration::from_millis;
        let sent = ms(1_000);
        for (now, expected) in [(900, 1_000), (1_000, 1_000), (1_001, 1_250), (1_251, 1_750), (1_751, 2_750)] {
            assert_eq!(next_attempt(sent, ms(now), ms(250)), ms(expected), "at {now} ms");
        }
    }
}
