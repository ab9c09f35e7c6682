//! The wire between the machines: it decides once for each segment when it arrives, if ever.
//!
//! Every decision is a hash of the seed and of its subject (connection, direction, n-th segment, n-th attempt), so
//! removing one fault leaves all other decisions unchanged.

mod burst;
mod connections;
mod idle;
mod link;
mod links;
mod queue;
mod release;
mod retransmit;
mod stream;

use std::time::Duration;

use turmoil::Sim;

use super::flow::{Flow, Packet, Side};
use super::kernel::Net;
use crate::fault::TRANSMISSIONS;
use crate::trace::{Event, HostId, SegmentKind};

pub(crate) use burst::Chain;
pub(crate) use idle::IdleWatch;
pub(crate) use link::{BlockKind, Fate, Fates, LinkFault, WireSettings};
pub(crate) use queue::Queue;
pub(crate) use stream::{Stream, StreamKind};

use link::{Hit, Transmission, hit, within};
use links::{Links, decision, drop_packet, is_from_program, is_sent_once};
use release::ForeignSegments;
use retransmit::next_attempt;
use stream::Piece;

/// Decides the fate of all segments.
#[derive(Debug)]
pub(crate) struct Wire {
    links: Links,
    foreign: ForeignSegments,
    /// The links whose idle connections are closed, each with the fault that closes them.
    idle_links: Vec<(HostId, HostId, u32)>,
}

impl Wire {
    pub(crate) fn new(settings: &WireSettings, hosts: usize, faults: usize) -> Wire {
        let links = Links::new(settings, hosts, faults);
        Wire { links, foreign: ForeignSegments::default(), idle_links: Vec::new() }
    }

    /// A fault begins on the link from one host to another, in this direction.
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
            self.links.effects[fault as usize] += net.forget(to, from);
            return;
        }
        let closes_idle = matches!(what, LinkFault::CloseIdle(_));
        self.links.between_mut(from, to).faults.push((fault, what));
        if closes_idle {
            self.idle_links.push((from, to, fault));
            self.links.close_idle_of(net, from, to, fault, now);
        }
    }

    /// A fault of this direction ends. The segments that it held back go on unless another fault blocks them.
    pub(crate) fn end(&mut self, net: &mut Net, from: HostId, to: HostId, fault: u32, now: Duration) {
        let link = self.links.between_mut(from, to);
        let Some(place) = link.faults.iter().position(|(id, _)| *id == fault) else { return };
        let (_, ended) = link.faults.remove(place);
        let ended = match ended {
            LinkFault::Stream(stream) => return self.links.release_held(net, stream, place, now),
            LinkFault::CloseIdle(_) => return self.idle_links.retain(|watched| *watched != (from, to, fault)),
            other => other,
        };
        let keeps_all = |what: &LinkFault| matches!(what, LinkFault::Block(BlockKind::Partition | BlockKind::Hold));
        let keeps = |what: &LinkFault| keeps_all(what) || *what == LinkFault::Block(BlockKind::OutputStall);
        // Segments wait because of a partition, a hold or an output stall, until the last of these ends.
        if !keeps(&ended) || link.faults.iter().any(|(_, what)| keeps_all(what)) {
            return;
        }
        let is_stalled = link.faults.iter().any(|(_, what)| keeps(what));
        let stalled = std::mem::take(&mut link.stalled);
        for id in stalled {
            let link = self.links.between_mut(from, to);
            let Some(packet) = net.packets.get_mut(id) else { continue };
            let from_program = is_from_program(packet.kind);
            if is_stalled && from_program {
                link.stalled.push(id);
                continue;
            }
            let block = link.block(from_program);
            let attempt = match ended {
                // The output of the program leaves its machine only now.
                LinkFault::Block(BlockKind::OutputStall) => {
                    packet.sent_at = now;
                    now
                }
                // A held segment was in flight already; a lost one is sent again at its sender's next attempt.
                LinkFault::Block(BlockKind::Hold) => now.saturating_sub(link.latency.start),
                _ => next_attempt(packet.sent_at, now, link.retransmission_timeout()),
            };
            if let Some((fault, BlockKind::PartitionWithReset)) = block {
                self.links.record_block(net, id, fault, now);
                self.links.answer_with_reset(net, id, attempt);
            } else {
                self.schedule(net, id, attempt);
            }
        }
    }

    /// A machine loses power: the output that an output stall kept in it is lost.
    pub(crate) fn forget_unsent(&mut self, net: &mut Net, from: HostId, now: Duration) {
        for link in &mut self.links.by_host[from.index()] {
            if !link.faults.iter().any(|(_, what)| *what == LinkFault::Block(BlockKind::OutputStall)) {
                continue;
            }
            for id in std::mem::take(&mut link.stalled) {
                if net.packets.get(id).is_some_and(|packet| is_from_program(packet.kind)) {
                    drop_packet(net, id, now);
                } else {
                    link.stalled.push(id);
                }
            }
        }
    }

    /// Records that a fault was effective this many times, on the wire or elsewhere.
    pub(crate) fn record_effects(&mut self, fault: usize, times: u64) {
        self.links.effects[fault] += times;
    }

    /// Takes how often each fault of the plan was effective.
    pub(crate) fn take_effects(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.links.effects)
    }

    /// When the next transmission of a segment reaches a machine whose power returns at `now`.
    pub(crate) fn next_arrival(&self, packet: &Packet, flow: &Flow, now: Duration) -> Duration {
        let (from, to) = (flow.host(packet.side), flow.host(packet.side.other()));
        let link = self.links.between(from, to);
        next_attempt(packet.sent_at, now, link.retransmission_timeout()) + link.latency.start
    }

    /// Decides about all segments sent since the last call.
    pub(crate) fn decide(&mut self, net: &mut Net) {
        self.decide_before(net, Duration::MAX, u32::MAX);
    }

    /// Decides about the segments sent before this time, or at this time with a lower ticket.
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
        let Some((fault, block)) = self.links.between(from, to).block(is_from_program(kind)) else {
            return self.schedule(net, id, sent_at);
        };
        self.links.record_block(net, id, fault, sent_at);
        match block {
            BlockKind::PartitionWithReset => self.links.answer_with_reset(net, id, sent_at),
            BlockKind::Partition if is_sent_once(kind) => drop_packet(net, id, sent_at),
            BlockKind::Partition | BlockKind::Hold | BlockKind::OutputStall => {
                self.links.between_mut(from, to).stalled.push(id)
            }
        }
    }

    /// Transmits a segment at `first`, and again until a transmission gets through.
    fn schedule(&mut self, net: &mut Net, id: u32, first: Duration) {
        let Some(packet) = net.packets.get(id) else { return };
        let flow = &net.flows[packet.flow as usize];
        if flow.is_severed {
            return self.links.handle_on_severed(net, id, first);
        }
        let (side, kind, sent_at, key) = (packet.side, packet.kind, packet.sent_at, flow.key);
        let (from, to) = (flow.host(side), flow.host(side.other()));
        let (segment, forward) = (packet.ordinal, side == Side::Client);
        let name = |attempt: u32| decision(key, side, segment, attempt);
        let bytes = packet.bytes.len();
        let Links { seed, by_host, effects } = &mut self.links;
        let link = &mut by_host[from.index()][to.index()];
        let mut sent = Transmission { segment: (key, forward, segment), name: name(0), at: first, bytes };
        let mut attempt = 0;
        let mut hits = Vec::new();
        while let Some(fault) = link.lost(*seed, &sent) {
            hit(&mut hits, fault).lost |= 1 << attempt;
            effects[fault as usize] += 1;
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
            latency = within(&link.latency, seed.decide_unit("latency", &sent.name));
            for (fault, what) in &mut link.faults {
                let extra = what.extra(*seed, &sent, sent_at);
                if !extra.is_zero() {
                    effects[*fault as usize] += 1;
                    hit(&mut hits, *fault).extra += extra;
                }
                latency += extra;
                if kind == SegmentKind::Data {
                    let is_corrupted = hits.iter().any(|hit| !hit.corrupted.is_empty());
                    let corrupted = what.corrupts(*seed, &sent, &packet.bytes, is_corrupted);
                    if !corrupted.is_empty() {
                        effects[*fault as usize] += corrupted.len() as u64;
                        hit(&mut hits, *fault).corrupted = corrupted;
                    }
                }
            }
        }
        let late = (!is_dropped).then(|| at + latency - sent_at);
        for Hit { fault, lost, extra, corrupted } in hits {
            let event =
                Event::SegmentAffected { fault: Some(fault), flow: key, forward, segment, kind, lost, extra, late };
            net.recording.lock().trace.push(sent_at, Some(from), event);
            for bit in corrupted {
                let event = Event::SegmentCorrupted { fault, flow: key, forward, segment, bit };
                net.recording.lock().trace.push(sent_at, Some(from), event);
                net.packets.corrupt(id, bit);
            }
        }
        if is_dropped {
            return drop_packet(net, id, sent_at);
        }
        self.links.pass(net, Piece { id, at, due: at + latency }, 0);
    }

    /// Whether a fault closes idle connections on any link.
    pub(crate) fn closes_idle(&self) -> bool {
        !self.idle_links.is_empty()
    }

    /// Closes the connections that have been idle for long enough.
    pub(crate) fn close_idle(&mut self, net: &mut Net, now: Duration) {
        for index in 0..self.idle_links.len() {
            let (from, to, fault) = self.idle_links[index];
            self.links.close_idle_of(net, from, to, fault, now);
        }
    }

    /// Releases the datagrams of all segments that arrive before `step_end`, at the start of the step.
    pub(crate) fn release(&mut self, net: &Net, sim: &Sim<'_>, now: Duration, step_end: Duration) {
        self.foreign.release(&mut self.links, net, sim, now, step_end);
    }
}
