//! The segments in flight, each with a ticket, and the changes made to them on the way: some are injected, split or
//! corrupted. The wire decides which.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::flow::{FlowId, Packet, Side};
use crate::trace::SegmentKind;

/// The arrival of a segment at its kernel: its due time, then its order among the segments due at that time, then its
/// ticket.
pub(super) type Arrival = Reverse<(Duration, u32, u32)>;

/// The segments in flight, by ticket. Tickets increase by one, so the earlier of two segments has the lower ticket.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    /// The ticket of the first slot.
    first: u32,
    slots: VecDeque<Option<Packet>>,
}

impl Packets {
    /// The ticket of the next segment.
    pub(super) fn next_ticket(&self) -> u32 {
        self.first + self.slots.len() as u32
    }

    pub(super) fn push(&mut self, packet: Packet) -> u32 {
        let ticket = self.next_ticket();
        self.slots.push_back(Some(packet));
        ticket
    }

    /// The segments in flight.
    fn iter(&self) -> impl Iterator<Item = &Packet> {
        self.slots.iter().flatten()
    }

    pub(crate) fn get(&self, ticket: u32) -> Option<&Packet> {
        self.slots.get(ticket.checked_sub(self.first)? as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, ticket: u32) -> Option<&mut Packet> {
        self.slots.get_mut(ticket.checked_sub(self.first)? as usize)?.as_mut()
    }

    /// The arrival of a segment whose due time is decided.
    pub(super) fn arrival(&self, ticket: u32) -> Option<Arrival> {
        let packet = self.get(ticket)?;
        Some(Reverse((packet.due, packet.follows.unwrap_or(ticket), ticket)))
    }

    pub(super) fn take(&mut self, ticket: u32) -> Option<Packet> {
        let packet = self.slots.get_mut(ticket.checked_sub(self.first)? as usize)?.take();
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        packet
    }

    /// Injects a segment that seems to come from this side. If it is due at the same time as the segment with the
    /// ticket `behind`, it arrives after that one. The caller decides when it is due.
    pub(super) fn inject(
        &mut self,
        flow: FlowId,
        side: Side,
        kind: SegmentKind,
        sent_at: Duration,
        behind: Option<u32>,
    ) -> u32 {
        // No kernel counts it among its segments, and the wire makes no decision about it.
        let (bytes, room, ordinal) = (Bytes::new(), 0, u32::MAX);
        let (due, follows) = (Duration::MAX, behind);
        let (attempt, lost_by, passed) = (0, None, true);
        self.push(Packet { flow, side, kind, bytes, room, ordinal, sent_at, attempt, lost_by, passed, due, follows })
    }

    /// Copies a segment; the copy may arrive before the original.
    pub(super) fn twin(&mut self, id: u32) -> Option<u32> {
        let packet = self.get(id)?;
        let twin = Packet { bytes: packet.bytes.clone(), ..*packet };
        Some(self.push(twin))
    }

    /// Splits a segment after its first `after` bytes; returns the ticket of the rest, which arrives behind it.
    pub(super) fn split(&mut self, id: u32, after: usize) -> Option<u32> {
        let packet = self.get_mut(id)?;
        let follows = Some(packet.follows.unwrap_or(id));
        let bytes = packet.bytes.split_off(after.min(packet.bytes.len()));
        let rest = Packet { bytes, follows, ..*packet };
        Some(self.push(rest))
    }

    /// Inverts one bit of a segment.
    pub(super) fn corrupt(&mut self, id: u32, bit: u32) {
        let Some(packet) = self.get_mut(id) else { return };
        // The sender may share these bytes, and must not see the change.
        let mut bytes = packet.bytes.to_vec();
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        packet.bytes = bytes.into();
    }

    /// Whether something that this side sent, and would send again, has not arrived yet.
    pub(super) fn is_unacknowledged(&self, flow: FlowId, side: Side) -> bool {
        self.iter().any(|packet| (packet.flow, packet.side) == (flow, side) && !packet.is_sent_once())
    }

    /// The connections with a segment in flight.
    pub(super) fn busy(&self) -> BTreeSet<FlowId> {
        self.iter().map(|packet| packet.flow).collect()
    }
}
