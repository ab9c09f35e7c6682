//! The segments on their way, found by the tickets that cross turmoil's links in their stead.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;

use super::flow::Packet;

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
    pub(super) fn iter(&self) -> impl Iterator<Item = &Packet> {
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
}
