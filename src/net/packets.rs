//! The segments on their way, found by the tickets that cross turmoil's links in their stead, and what is made of them
//! there: some are made or split, and bits of some are changed. It decides nothing; the wire does.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::flow::{FlowId, Packet, Side};
use crate::trace::SegmentKind;

/// A segment that its kernel will take in: when, and of those due at the same time, in which order; at last its ticket.
pub(super) type Arrival = Reverse<(Duration, u32, u32)>;

/// The segments on their way, by ticket. Tickets rise by one, so that of two segments the earlier has the lower one.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    /// The ticket of the first slot.
    first: u32,
    slots: VecDeque<Option<Packet>>,
}

impl Packets {
    /// The ticket of the segment that comes next.
    pub(super) fn next_ticket(&self) -> u32 {
        self.first + self.slots.len() as u32
    }

    pub(super) fn push(&mut self, packet: Packet) -> u32 {
        let ticket = self.next_ticket();
        self.slots.push_back(Some(packet));
        ticket
    }

    /// The segments on their way.
    fn iter(&self) -> impl Iterator<Item = &Packet> {
        self.slots.iter().flatten()
    }

    pub(crate) fn get(&self, ticket: u32) -> Option<&Packet> {
        self.slots.get(ticket.checked_sub(self.first)? as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, ticket: u32) -> Option<&mut Packet> {
        self.slots.get_mut(ticket.checked_sub(self.first)? as usize)?.as_mut()
    }

    /// The arrival of a segment whose time is decided.
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
        let follows = Some(behind.unwrap_or(self.next_ticket()));
        let (due, dropped) = (Duration::MAX, false);
        self.push(Packet { flow, side, kind, bytes, room, ordinal, sent_at, due, dropped, follows })
    }

    /// Splits a segment after so many of its bytes; returns the ticket of the rest, which arrives behind it.
    pub(super) fn split(&mut self, id: u32, after: usize) -> Option<u32> {
        let packet = self.get_mut(id)?;
        let follows = Some(packet.follows.unwrap_or(id));
        let bytes = packet.bytes.split_off(after.min(packet.bytes.len()));
        let Packet { flow, side, kind, room, ordinal, sent_at, due, dropped, .. } = *packet;
        Some(self.push(Packet { flow, side, kind, bytes, room, ordinal, sent_at, due, dropped, follows }))
    }

    /// A bit of a segment is changed on the way.
    pub(super) fn corrupt(&mut self, id: u32, bit: u32) {
        let Some(packet) = self.get_mut(id) else { return };
        // Its sender may hold the same bytes, and must not see this.
        let mut bytes = packet.bytes.to_vec();
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        packet.bytes = bytes.into();
    }

    /// The connections of which something is on the way.
    pub(super) fn busy(&self) -> BTreeSet<FlowId> {
        self.iter().filter(|packet| !packet.dropped).map(|packet| packet.flow).collect()
    }
}
