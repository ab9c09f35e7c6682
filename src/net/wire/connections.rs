//! Carries out the faults of connections: which part of a segment arrives, when, and what the ends receive. Nothing
//! here is random.

use std::time::Duration;

use super::link::{LinkFault, within};
use super::links::{Links, decision};
use super::stream::{Piece, PieceFate, Stream};
use crate::net::flow::{FlowId, Packet, Side};
use crate::net::kernel::Net;
use crate::trace::{HostId, SegmentKind};

impl Links {
    /// Passes a segment that got through. If it reached a machine without power before, it has passed the connection
    /// faults already, and arrives.
    pub(super) fn pass_first(&mut self, net: &mut Net, piece: Piece) {
        let Some(packet) = net.packets.get_mut(piece.id) else { return };
        if std::mem::replace(&mut packet.passed, true) {
            arrive(net, piece);
        } else {
            self.pass(net, piece, 0);
        }
    }

    /// Passes a transmitted segment through the connection faults of its link, from the fault at this place on. What
    /// they let through arrives.
    pub(super) fn pass(&mut self, net: &mut Net, piece: Piece, place: usize) {
        let Some(packet) = net.packets.get(piece.id) else { return };
        let Packet { flow, side, kind, sent_at, .. } = *packet;
        let length = packet.bytes.len();
        let state = &net.flows[flow as usize];
        let (from, to) = (state.host(side), state.host(side.other()));
        // No segment overtakes an earlier one.
        let piece = Piece { due: piece.due.max(state.last_due[side.index()]), ..piece };
        let faults = self.between_mut(from, to).faults.iter_mut().enumerate().skip(place);
        let fates = faults.filter_map(|(place, (fault, what))| match what {
            LinkFault::Stream(stream) => Some((place, *fault, stream.apply(flow, kind, length, &piece))),
            _ => None,
        });
        let Some((place, fault, fate)) = { fates }.find(|(_, _, fate)| *fate != PieceFate::Passes) else {
            return arrive(net, piece);
        };
        match fate {
            PieceFate::Passes => {}
            PieceFate::Lost => drop(net.packets.take(piece.id)),
            PieceFate::Breaks { after, is_graceful } => {
                self.record_block(net, piece.id, fault, sent_at);
                self.break_off(net, piece, after, is_graceful, place + 1);
            }
            PieceFate::Waits { after } => {
                self.record_block(net, piece.id, fault, sent_at);
                let rest = self.pass_on(net, piece, after, length, place + 1);
                if let Some((_, LinkFault::Stream(stream))) = self.between_mut(from, to).faults.get_mut(place) {
                    stream.held.extend(rest);
                }
            }
            PieceFate::Trickles => self.trickle(net, piece, place),
        }
    }

    /// Passes the first `after` bytes of a piece to the faults from this place on; returns the rest.
    fn pass_on(&mut self, net: &mut Net, piece: Piece, after: usize, length: usize, place: usize) -> Option<Piece> {
        if after == 0 {
            return Some(piece);
        }
        let rest = if after < length { net.packets.split(piece.id, after) } else { None };
        self.pass(net, piece, place);
        rest.map(|id| Piece { id, ..piece })
    }

    /// Passes on the bytes of a piece a portion at a time; the fault at this place decides when.
    fn trickle(&mut self, net: &mut Net, mut piece: Piece, place: usize) {
        let Some(packet) = net.packets.get(piece.id) else { return };
        let Packet { flow, side, sent_at, .. } = *packet;
        let (mut left, mut is_late) = (packet.bytes.len(), false);
        let (from, to) = (net.flows[flow as usize].host(side), net.flows[flow as usize].host(side.other()));
        loop {
            let fault = self.between_mut(from, to).faults.get_mut(place);
            let Some((fault, LinkFault::Stream(stream))) = fault else { return };
            let (fault, (length, at)) = (*fault, stream.next_portion(flow, left, piece.due));
            if at > piece.due && !is_late {
                is_late = true;
                self.record_block(net, piece.id, fault, sent_at);
            }
            let portion = Piece { due: at, ..piece };
            let Some(rest) = self.pass_on(net, portion, length, left, place + 1) else { return };
            left -= length;
            piece = Piece { due: piece.due, ..rest };
        }
    }

    /// Breaks a connection after the first `after` bytes of a piece: both ends learn of it after one latency, and no
    /// segment sent on it from now on arrives.
    fn break_off(&mut self, net: &mut Net, piece: Piece, after: usize, is_graceful: bool, place: usize) {
        let Some(packet) = net.packets.get(piece.id) else { return };
        let Packet { flow, side, sent_at, .. } = *packet;
        let behind = Some(packet.follows.unwrap_or(piece.id));
        let (kind, length) = (if is_graceful { SegmentKind::Fin } else { SegmentKind::Rst }, packet.bytes.len());
        if let Some(rest) = self.pass_on(net, piece, after, length, place) {
            drop(net.packets.take(rest.id));
        }
        net.flows[flow as usize].is_severed = true;
        let end = net.packets.inject(flow, side, kind, sent_at, behind);
        self.pass(net, Piece { id: end, ..piece }, place);
        if is_graceful {
            self.end_of_stream(net, flow, side, piece.due);
        } else {
            net.inject_reset(flow, side, sent_at, piece.due);
        }
    }

    /// Ends the stream at this end of a connection at this time, as if the other end had closed it.
    fn end_of_stream(&mut self, net: &mut Net, flow: FlowId, side: Side, due: Duration) {
        let id = net.packets.inject(flow, side.other(), SegmentKind::Fin, due, None);
        self.pass(net, Piece { id, at: due, due }, 0);
    }

    /// The latency of an injected segment to this end of a connection.
    fn latency_to(&self, net: &Net, flow: FlowId, side: Side) -> Duration {
        let flow = &net.flows[flow as usize];
        let link = self.between(flow.host(side.other()), flow.host(side));
        let unit = self.seed.decide_unit("latency", &decision(flow.key, side.other(), u32::MAX, 0));
        within(&link.latency, unit)
    }

    /// Handles a segment sent on a broken connection: data is answered with a reset, anything else is dropped.
    pub(super) fn handle_on_severed(&mut self, net: &mut Net, id: u32, at: Duration) {
        if net.packets.get(id).is_some_and(|packet| packet.kind == SegmentKind::Data) {
            self.answer_with_reset(net, id, at);
        } else {
            drop(net.packets.take(id));
        }
    }

    /// Passes on the pieces that a stream fault at this place held until its end.
    pub(super) fn release_held(&mut self, net: &mut Net, stream: Stream, place: usize, now: Duration) {
        for piece in stream.held {
            self.pass(net, Piece { due: piece.due.max(now), ..piece }, place);
        }
    }

    /// When a connection of a link may next be idle for long enough for this fault.
    pub(super) fn next_idle_of(&mut self, from: HostId, to: HostId, fault: u32) -> Option<Duration> {
        self.between_mut(from, to).faults.iter().find_map(|(id, what)| match what {
            LinkFault::CloseIdle(watch) if *id == fault => watch.next_look(),
            _ => None,
        })
    }

    /// Closes the connections of a link that this fault finds idle for long enough.
    pub(super) fn close_idle_of(&mut self, net: &mut Net, from: HostId, to: HostId, fault: u32, now: Duration) {
        let watches = self.between_mut(from, to).faults.iter_mut();
        let idle = { watches }.find_map(|(id, what)| match what {
            LinkFault::CloseIdle(watch) if *id == fault => Some(watch.find_idle(net, from, to, now)),
            _ => None,
        });
        for flow in idle.unwrap_or_default() {
            self.effects[fault as usize] += 1;
            net.flows[flow as usize].is_severed = true;
            for side in [Side::Client, Side::Server] {
                self.end_of_stream(net, flow, side, now + self.latency_to(net, flow, side));
            }
        }
    }
}

/// Delivers a piece that no fault holds back, behind everything sent before it.
fn arrive(net: &mut Net, piece: Piece) {
    let Some(packet) = net.packets.get_mut(piece.id) else { return };
    let last_due = &mut net.flows[packet.flow as usize].last_due[packet.side.index()];
    *last_due = piece.due.max(*last_due);
    packet.due = *last_due;
    if packet.follows.is_some()
        && let Some(packet) = net.packets.take(piece.id)
    {
        // Of several pieces that follow the same segment, the one with the lower ticket arrives first.
        let id = net.packets.push(packet);
        net.deliver(id);
    } else {
        net.deliver(piece.id);
    }
}

/// Delivers a datagram at this time, whatever was sent before it.
pub(super) fn deliver_datagram(net: &mut Net, id: u32, due: Duration) {
    let Some(packet) = net.packets.get_mut(id) else { return };
    packet.due = due;
    net.deliver(id);
}
