//! How the faults of connections are carried out: what of a segment arrives, when, and what its ends are told. It decides
//! nothing by chance; each fault says what becomes of what it meets.

use std::time::Duration;

use super::link::{LinkFault, within};
use super::links::{Links, decision, drop_packet};
use super::stream::{Meeting, Piece, Stream};
use crate::net::flow::{FlowId, Packet, Side};
use crate::net::kernel::Net;
use crate::trace::{HostId, SegmentKind};

impl Links {
    /// A segment whose transmission gets through meets what is wrong with connections on its link, from the fault at this
    /// place on, and arrives as far as these let it.
    pub(super) fn pass(&mut self, net: &mut Net, piece: Piece, place: usize) {
        let Some(packet) = net.packets.get(piece.id) else { return };
        let Packet { flow, side, kind, sent_at, .. } = *packet;
        let length = packet.bytes.len();
        let state = &net.flows[flow as usize];
        let (from, to) = (state.host(side), state.host(side.other()));
        // Nothing overtakes what it was sent after.
        let piece = Piece { due: piece.due.max(state.last_due[side.index()]), ..piece };
        let faults = self.between_mut(from, to).faults.iter_mut().enumerate().skip(place);
        let met = faults.filter_map(|(place, (fault, what))| match what {
            LinkFault::Stream(stream) => Some((place, *fault, stream.meet(flow, kind, length, &piece))),
            _ => None,
        });
        let Some((place, fault, meeting)) = { met }.find(|(_, _, meeting)| *meeting != Meeting::Passes) else {
            return arrive(net, piece);
        };
        match meeting {
            Meeting::Passes => {}
            Meeting::Lost => lose(net, piece),
            Meeting::Breaks { after, is_polite } => {
                self.affected_by_block(net, piece.id, fault, sent_at);
                self.break_off(net, piece, after, is_polite, place + 1);
            }
            Meeting::Waits { after } => {
                self.affected_by_block(net, piece.id, fault, sent_at);
                let rest = self.pass_on(net, piece, after, length, place + 1);
                if let Some((_, LinkFault::Stream(stream))) = self.between_mut(from, to).faults.get_mut(place) {
                    stream.held.extend(rest);
                }
            }
            Meeting::Trickles => self.trickle(net, piece, place),
        }
    }

    /// The first bytes of a piece go on to the faults from this place on; returns the rest.
    fn pass_on(&mut self, net: &mut Net, piece: Piece, after: usize, length: usize, place: usize) -> Option<Piece> {
        if after == 0 {
            return Some(piece);
        }
        let rest = if after < length { net.packets.split(piece.id, after) } else { None };
        self.pass(net, piece, place);
        rest.map(|id| Piece { id, ..piece })
    }

    /// The bytes of a piece go on drop by drop; the fault at this place says when.
    fn trickle(&mut self, net: &mut Net, mut piece: Piece, place: usize) {
        let Some(packet) = net.packets.get(piece.id) else { return };
        let Packet { flow, side, sent_at, .. } = *packet;
        let (mut left, mut is_late) = (packet.bytes.len(), false);
        let (from, to) = (net.flows[flow as usize].host(side), net.flows[flow as usize].host(side.other()));
        loop {
            let fault = self.between_mut(from, to).faults.get_mut(place);
            let Some((fault, LinkFault::Stream(stream))) = fault else { return };
            let (fault, (length, at)) = (*fault, stream.next_drop(flow, left, piece.due));
            if at > piece.due && !is_late {
                is_late = true;
                self.affected_by_block(net, piece.id, fault, sent_at);
            }
            let drop = Piece { due: at, ..piece };
            let Some(rest) = self.pass_on(net, drop, length, left, place + 1) else { return };
            left -= length;
            piece = Piece { due: piece.due, ..rest };
        }
    }

    /// A connection breaks behind the first bytes of a piece: both ends learn of it after one latency, and nothing that is
    /// sent on it from now on arrives.
    fn break_off(&mut self, net: &mut Net, piece: Piece, after: usize, is_polite: bool, place: usize) {
        let Some(packet) = net.packets.get(piece.id) else { return };
        let Packet { flow, side, sent_at, .. } = *packet;
        let behind = Some(packet.follows.unwrap_or(piece.id));
        let (kind, length) = (if is_polite { SegmentKind::Fin } else { SegmentKind::Rst }, packet.bytes.len());
        if let Some(rest) = self.pass_on(net, piece, after, length, place) {
            lose(net, rest);
        }
        net.flows[flow as usize].is_severed = true;
        let end = net.packets.make_outside(flow, side, kind, sent_at, behind);
        self.pass(net, Piece { id: end, ..piece }, place);
        if is_polite {
            self.end_of_stream(net, flow, side, piece.due);
        } else {
            net.reset_from_outside(flow, side, sent_at, piece.due);
        }
    }

    /// This end of a connection gets the end of the stream at this time, as from the other one.
    fn end_of_stream(&mut self, net: &mut Net, flow: FlowId, side: Side, due: Duration) {
        let id = net.packets.make_outside(flow, side.other(), SegmentKind::Fin, due, None);
        self.pass(net, Piece { id, at: due, due }, 0);
    }

    /// What a segment that no kernel sent takes to this end of a connection.
    fn latency_to(&self, net: &Net, flow: FlowId, side: Side) -> Duration {
        let flow = &net.flows[flow as usize];
        let link = self.between(flow.host(side.other()), flow.host(side));
        let unit = self.seed.decide_unit("latency", &decision(flow.key, side.other(), u32::MAX, 0));
        within(&link.latency, unit)
    }

    /// A segment is sent on a connection that somebody on the way has broken: bytes are answered with a reset.
    pub(super) fn meet_severed(&mut self, net: &mut Net, id: u32, at: Duration) {
        if net.packets.get(id).is_some_and(|packet| packet.kind == SegmentKind::Data) {
            self.answer_with_reset(net, id, at);
        } else {
            drop_packet(net, id, at);
        }
    }

    /// A fault of connections is over; it stood at this place. What waited goes on to those behind it.
    pub(super) fn let_go(&mut self, net: &mut Net, stream: Stream, place: usize, now: Duration) {
        for piece in stream.held {
            self.pass(net, Piece { due: piece.due.max(now), ..piece }, place);
        }
    }

    /// Closes the connections of a link that this fault finds idle for long enough.
    pub(super) fn close_idle_of(&mut self, net: &mut Net, from: HostId, to: HostId, fault: u32, now: Duration) {
        let watches = self.between_mut(from, to).faults.iter_mut();
        let idle = { watches }.find_map(|(id, what)| match what {
            LinkFault::CloseIdle(watch) if *id == fault => Some(watch.look(net, from, to, now)),
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

/// A piece that nothing keeps back any more arrives, behind what was sent before it.
fn arrive(net: &mut Net, piece: Piece) {
    let Some(packet) = net.packets.get_mut(piece.id) else { return };
    let last_due = &mut net.flows[packet.flow as usize].last_due[packet.side.index()];
    *last_due = piece.due.max(*last_due);
    packet.due = *last_due;
    if packet.follows.is_some()
        && let Some(packet) = net.packets.take(piece.id)
    {
        // Of those that follow the same segment, the one with the lower ticket comes first.
        let id = net.packets.push(packet);
        net.arrive_without_datagram(id);
    }
}

/// A piece never arrives.
fn lose(net: &mut Net, piece: Piece) {
    drop_packet(net, piece.id, piece.due);
}
