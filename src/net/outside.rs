//! What befalls connections without crossing a link: segments that are made or split on the way, and connections that are
//! forgotten. It decides nothing; the wire does.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::flow::{End, EndState, Flow, FlowId, Packet, Side};
use super::kernel::Net;
use crate::trace::{HostId, SegmentKind};

impl Net {
    /// Somebody on the way resets an end of a connection: the segment reaches its kernel at `due`.
    pub(super) fn reset_from_outside(&mut self, flow: FlowId, victim: Side, sent_at: Duration, due: Duration) {
        let id = self.make_outside(flow, victim.other(), SegmentKind::Rst, sent_at, None);
        if let Some(packet) = self.packets.get_mut(id) {
            packet.due = due;
        }
        self.arrive_without_datagram(id);
    }

    /// Somebody on the way makes a segment that seems to come from this side. If it arrives at the same time as the segment
    /// with the ticket `behind`, it arrives after it. When it arrives is yet to be said.
    pub(super) fn make_outside(
        &mut self,
        flow: FlowId,
        side: Side,
        kind: SegmentKind,
        sent_at: Duration,
        behind: Option<u32>,
    ) -> u32 {
        // No kernel counts it among its segments, and the wire does not decide about it.
        let (bytes, room, ordinal) = (Bytes::new(), 0, u32::MAX);
        let follows = Some(behind.unwrap_or(self.packets.next_ticket()));
        let (due, dropped) = (Duration::MAX, false);
        self.packets.push(Packet { flow, side, kind, bytes, room, ordinal, sent_at, due, dropped, follows })
    }

    /// Splits a segment after so many of its bytes; returns the ticket of the rest, which arrives behind it.
    pub(super) fn split(&mut self, id: u32, after: usize) -> Option<u32> {
        let packet = self.packets.get_mut(id)?;
        let follows = Some(packet.follows.unwrap_or(id));
        let bytes = packet.bytes.split_off(after.min(packet.bytes.len()));
        let Packet { flow, side, kind, room, ordinal, sent_at, due, dropped, .. } = *packet;
        Some(self.packets.push(Packet { flow, side, kind, bytes, room, ordinal, sent_at, due, dropped, follows }))
    }

    /// A bit of a segment is changed on the way.
    pub(super) fn corrupt(&mut self, id: u32, bit: u32) {
        let Some(packet) = self.packets.get_mut(id) else { return };
        // Its sender may hold the same bytes, and must not see this.
        let mut bytes = packet.bytes.to_vec();
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        packet.bytes = bytes.into();
    }

    /// A segment that crosses no link will reach its kernel when it is due.
    pub(super) fn arrive_without_datagram(&mut self, id: u32) {
        let (Some(packet), arrival) = (self.packets.get(id), self.packets.arrival(id)) else { return };
        let host = self.flows[packet.flow as usize].host(packet.side.other());
        let kernel = &mut self.kernels[host.index()];
        kernel.arrivals.extend(arrival);
        self.wake.extend(kernel.task.take());
    }

    /// A kernel forgets its open connections with a peer; returns how many these were.
    pub(super) fn forget(&mut self, host: HostId, peer: HostId) -> u64 {
        let mut forgotten = 0;
        for (flow, side) in self.ends_of(host) {
            let flow = &mut self.flows[flow as usize];
            let is_with_peer = flow.host(side.other()) == peer;
            if let Some(end) = flow.end(side).filter(|end| is_with_peer && end.state == EndState::Open) {
                end.state = EndState::Reset;
                end.received.clear();
                end.wake_all(&mut self.wake);
                forgotten += 1;
            }
        }
        forgotten
    }

    /// The connections of which something is on the way.
    pub(super) fn busy(&self) -> BTreeSet<FlowId> {
        self.packets.iter().filter(|packet| !packet.dropped).map(|packet| packet.flow).collect()
    }
}

impl Flow {
    /// Whether both ends are open, nobody has said that it is at its end, and nothing is unread.
    pub(super) fn is_quiet(&self) -> bool {
        let is_quiet =
            |end: &End| end.state == EndState::Open && end.received.is_empty() && !end.finished && !end.peer_finished;
        !self.is_severed && self.ends.iter().all(|end| end.as_ref().is_some_and(is_quiet))
    }
}
