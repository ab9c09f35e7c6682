//! The wire between the machines: it decides about each transmission of a segment, at the time of that transmission.
//! The kernel of the sender sends a lost segment again when its timer expires, as long as it knows the connection.
//!
//! Every decision is a hash of the seed and of its subject (connection, direction, n-th segment, n-th attempt), so
//! removing one fault leaves all other decisions unchanged.

mod burst;
mod connections;
mod gaps;
mod idle;
mod link;
mod links;
mod queue;
mod release;
mod retransmit;
mod stream;
mod transmission;

use std::cmp::Reverse;
use std::time::Duration;

use turmoil::Sim;

use super::kernel::Net;
use crate::trace::{HostId, PacketEvent};

pub(crate) use burst::Chain;
pub(crate) use idle::IdleWatch;
pub(crate) use link::{BlockKind, Fate, Fates, LinkFault, WireSettings};
pub(crate) use queue::Queue;
pub(crate) use stream::{Stream, StreamKind};

use connections::deliver_datagram;
use gaps::{Filled, Gaps};
use links::{Links, is_from_program, is_output};
use release::ForeignSegments;
use retransmit::{FORGOTTEN_AFTER, GIVES_UP_AFTER, gives_up_at, next_attempt};
use stream::Piece;

/// Decides the fate of all segments.
#[derive(Debug)]
pub(crate) struct Wire {
    links: Links,
    gaps: Gaps,
    foreign: ForeignSegments,
    /// The links whose idle connections are closed, each with the fault that closes them.
    idle_links: Vec<(HostId, HostId, u32)>,
}

impl Wire {
    pub(crate) fn new(settings: &WireSettings, hosts: usize, faults: usize) -> Wire {
        let links = Links::new(settings, hosts, faults);
        Wire { links, gaps: Gaps::default(), foreign: ForeignSegments::default(), idle_links: Vec::new() }
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
        let holds = |what: &LinkFault| *what == LinkFault::Block(BlockKind::Hold);
        let keeps = |what: &LinkFault| holds(what) || *what == LinkFault::Block(BlockKind::OutputStall);
        // Segments wait because of a hold or an output stall, until the last of these ends.
        if !keeps(&ended) || link.faults.iter().any(|(_, what)| holds(what)) {
            return;
        }
        let is_stalled = link.faults.iter().any(|(_, what)| keeps(what));
        let stalled = std::mem::take(&mut link.stalled);
        for id in stalled {
            let link = self.links.between_mut(from, to);
            let Some(packet) = net.packets.get_mut(id) else { continue };
            if is_stalled && is_output(packet.kind) {
                link.stalled.push(id);
                continue;
            }
            if ended == LinkFault::Block(BlockKind::Hold) {
                // A held segment was in flight already, and has only the last bit of its way to go.
                let at = now.saturating_sub(link.latency.start);
                self.transmit(net, id, at);
            } else if net.flows[packet.flow as usize].is_known(packet.side, now) {
                // The output of the program leaves its machine only now.
                packet.sent_at = now;
                net.record_packet(id, now, PacketEvent::SentAgain(0));
                self.transmit(net, id, now);
            } else {
                drop(net.packets.take(id));
            }
        }
    }

    /// A machine loses power: the output that an output stall kept in it is lost.
    pub(crate) fn forget_unsent(&mut self, net: &mut Net, from: HostId) {
        for link in &mut self.links.by_host[from.index()] {
            if !link.faults.iter().any(|(_, what)| *what == LinkFault::Block(BlockKind::OutputStall)) {
                continue;
            }
            for id in std::mem::take(&mut link.stalled) {
                if net.packets.get(id).is_some_and(|packet| is_output(packet.kind)) {
                    drop(net.packets.take(id));
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

    /// Decides about all segments that were sent up to now, and about what kernels send again before now.
    pub(crate) fn decide(&mut self, net: &mut Net, now: Duration) {
        self.decide_before(net, Duration::MAX, u32::MAX, now);
    }

    /// Decides about the segments sent before this time, or at this time with a lower ticket, and about what kernels
    /// send again before this time and before now.
    pub(crate) fn decide_before(&mut self, net: &mut Net, at: Duration, ticket: u32, now: Duration) {
        let mut undecided = std::mem::take(&mut net.undecided);
        let timers_until = at.min(now);
        if net.timers.peek().is_some_and(|Reverse((due, _))| *due < timers_until) {
            // Segments and retransmissions of one link follow each other in time.
            undecided.sort_by_key(|id| (net.packets.get(*id).map(|packet| packet.sent_at), *id));
        }
        undecided.retain(|id| {
            let sent_at = net.packets.get(*id).map(|packet| packet.sent_at);
            let is_before = sent_at.is_none_or(|sent_at| (sent_at, *id) < (at, ticket));
            if is_before {
                self.send_again_before(net, timers_until.min(sent_at.unwrap_or_default()));
                self.transmit(net, *id, sent_at.unwrap_or_default());
            }
            !is_before
        });
        self.send_again_before(net, timers_until);
        net.undecided = undecided;
    }

    /// Runs the kernels' retransmission timers that expire before this time.
    fn send_again_before(&mut self, net: &mut Net, time: Duration) {
        while let Some(Reverse((due, id))) = net.timers.peek().copied()
            && due < time
        {
            net.timers.pop();
            self.send_again(net, id, due);
        }
    }

    /// A kernel sends a segment again, unless it no longer knows the connection or gives it up.
    fn send_again(&mut self, net: &mut Net, id: u32, at: Duration) {
        let Some(packet) = net.packets.get(id) else { return };
        let (flow, side, sent_at) = (packet.flow, packet.side, packet.sent_at);
        let state = &net.flows[flow as usize];
        let limit = match &state.ends[side.index()] {
            Some(end) => end.user_timeout.unwrap_or(GIVES_UP_AFTER),
            None => FORGOTTEN_AFTER,
        };
        let is_known = state.is_known(side, at);
        let timeout = self.links.between(state.host(side), state.host(side.other())).retransmission_timeout();
        let gives_up_at = gives_up_at(sent_at, limit, timeout);
        if is_known && at < gives_up_at {
            let timer = next_attempt(sent_at, at, timeout).min(gives_up_at);
            if timer > at {
                // The segment was lost on arrival, so its timer is still to expire.
                if is_from_program(packet.kind) {
                    self.gaps.lose(flow, side, packet.ordinal, id);
                }
                return net.timers.push(Reverse((timer, id)));
            }
            if let Some(packet) = net.packets.get_mut(id) {
                packet.attempt += 1;
                let attempt = packet.attempt;
                net.record_packet(id, at, PacketEvent::SentAgain(attempt));
            }
            return self.transmit(net, id, at);
        }
        for id in self.gaps.give_up(flow, side).into_iter().chain([id]) {
            drop(net.packets.take(id));
        }
        if is_known {
            net.give_up(flow, side, at);
        }
    }

    /// Transmits a segment once, at this time.
    fn transmit(&mut self, net: &mut Net, id: u32, at: Duration) {
        let Some(packet) = net.packets.get(id) else { return };
        let flow = &net.flows[packet.flow as usize];
        let (from, to, is_first) = (flow.host(packet.side), flow.host(packet.side.other()), packet.attempt == 0);
        // What a kernel sends again is no output of its program.
        let block = self.links.between(from, to).block(is_first && is_output(packet.kind));
        let lost_by = match block {
            Some((fault, BlockKind::PartitionWithReset)) => {
                self.links.record_block(net, id, fault, at);
                return self.links.answer_with_reset(net, id, at);
            }
            Some((fault, BlockKind::Hold | BlockKind::OutputStall)) => {
                self.links.record_block(net, id, fault, at);
                return self.links.between_mut(from, to).stalled.push(id);
            }
            Some((fault, BlockKind::Partition)) => Some(fault),
            None if flow.is_severed => return self.links.handle_on_severed(net, id, at),
            None => self.links.loses(net, id, at),
        };
        match lost_by {
            Some(fault) => self.lose(net, id, fault, at),
            None => self.carry(net, id, at),
        }
    }

    /// A fault loses this transmission of a segment; the sender's kernel sends it again when its timer expires.
    fn lose(&mut self, net: &mut Net, id: u32, fault: u32, at: Duration) {
        self.links.record_loss(net, id, fault, at);
        let Some(packet) = net.packets.get_mut(id) else { return };
        packet.lost_by.get_or_insert(fault);
        if packet.is_sent_once() {
            return drop(net.packets.take(id));
        }
        let (flow, side, ordinal, sent_at) = (packet.flow, packet.side, packet.ordinal, packet.sent_at);
        let hosts = &net.flows[flow as usize];
        let timeout = self.links.between(hosts.host(side), hosts.host(side.other())).retransmission_timeout();
        let next = next_attempt(sent_at, at + Duration::from_nanos(1), timeout);
        // The timer expires when the program's patience ends, if that is sooner.
        let user_timeout = hosts.ends[side.index()].as_ref().and_then(|end| end.user_timeout);
        let next = user_timeout.map_or(next, |limit| next.min(gives_up_at(sent_at, limit, timeout)));
        net.timers.push(Reverse((next, id)));
        if is_from_program(packet.kind) {
            self.gaps.lose(flow, side, ordinal, id);
        }
    }

    /// A transmission gets through: its segment arrives after the link's latency, in order.
    fn carry(&mut self, net: &mut Net, id: u32, at: Duration) {
        let latency = self.links.delay(net, id, at);
        if let Some((twin, latency)) = self.links.duplicate(net, id, at) {
            deliver_datagram(net, twin, at + latency);
        }
        let Some(packet) = net.packets.get_mut(id) else { return };
        if packet.is_datagram() {
            return deliver_datagram(net, id, at + latency);
        }
        let (flow, side, ordinal) = (packet.flow, packet.side, packet.ordinal);
        let piece = Piece { id, at, due: at + latency };
        let filled =
            if is_from_program(packet.kind) { self.gaps.fill(flow, side, ordinal, piece) } else { Filled::Only(piece) };
        match filled {
            Filled::Only(piece) => self.links.pass_first(net, piece),
            Filled::All(pieces) => {
                let mut due = Duration::ZERO;
                for piece in pieces.into_values() {
                    due = due.max(piece.due);
                    self.links.pass_first(net, Piece { due, ..piece });
                }
            }
        }
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

    /// When a connection may next have been idle for long enough.
    pub(crate) fn next_idle(&mut self) -> Option<Duration> {
        let Wire { idle_links, links, .. } = self;
        idle_links.iter().filter_map(|(from, to, fault)| links.next_idle_of(*from, *to, *fault)).min()
    }

    /// Releases the segments of plain turmoil sockets that arrive before `step_end`, at the start of the step.
    pub(crate) fn release(&mut self, sim: &Sim<'_>, now: Duration, step_end: Duration) {
        self.foreign.release(&mut self.links, sim, now, step_end);
    }
}
