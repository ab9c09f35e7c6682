//! The segments of a run, each with all its transmissions and arrivals, put together from what a recording holds of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::run::Recording;
use crate::trace::{Event, FlowKey, HostId, INJECTED, PacketEvent, PacketRecord, SegmentKind};

/// Names a segment: its connection, its direction (true from the connecting host on) and its number there.
pub(super) type SegmentName = (FlowKey, bool, u32);

/// A segment.
pub(super) struct Message<'a> {
    pub(super) flow: FlowKey,
    pub(super) forward: bool,
    /// [`INJECTED`] if a fault made it, and no kernel sent it.
    pub(super) segment: u32,
    pub(super) kind: SegmentKind,
    pub(super) length: u32,
    /// Where it is sent from and to; `None` if a fault made it.
    pub(super) addresses: Option<(SocketAddr, SocketAddr)>,
    /// Its bytes, if the recording has them.
    pub(super) bytes: &'a [u8],
    /// Its transmissions, in order; none if a fault made it.
    pub(super) sends: Vec<Send>,
    /// The faults that held it back or stopped it, without losing a transmission.
    pub(super) blocked_by: Vec<u32>,
    /// The faults that delayed it, each with the time that it added.
    pub(super) delayed_by: Vec<(u32, Duration)>,
    /// The faults that inverted a bit of it, each with the number of that bit.
    pub(super) corrupted_by: Vec<(u32, u32)>,
}

/// One transmission of a segment.
#[derive(Debug)]
pub(super) struct Send {
    pub(super) at: Duration,
    /// Its number, from 0.
    pub(super) attempt: u32,
    pub(super) lost: Option<Lost>,
    /// When it arrived, or parts of it did, and how many bytes each time.
    pub(super) arrivals: Vec<(Duration, u32)>,
}

/// Why a transmission did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// A fault of the plan lost it.
    ByFault(u32),
    /// The machine that it was sent to had no power.
    Unpowered,
}

impl Message<'_> {
    pub(super) fn from(&self) -> HostId {
        if self.forward { self.flow.from } else { self.flow.to }
    }

    pub(super) fn to(&self) -> HostId {
        if self.forward { self.flow.to } else { self.flow.from }
    }

    pub(super) fn name(&self) -> SegmentName {
        (self.flow, self.forward, self.segment)
    }

    fn injected(packet: &PacketRecord, kind: SegmentKind, length: u32) -> Message<'static> {
        let arrival = Send { at: packet.at, attempt: 0, lost: None, arrivals: vec![(packet.at, length)] };
        Message {
            flow: packet.flow,
            forward: packet.forward,
            segment: INJECTED,
            kind,
            length,
            addresses: None,
            bytes: &[],
            sends: vec![arrival],
            blocked_by: Vec::new(),
            delayed_by: Vec::new(),
            corrupted_by: Vec::new(),
        }
    }

    /// The transmission that an arrival at this time ends.
    fn send_before(&mut self, at: Duration) -> Option<&mut Send> {
        self.sends.iter_mut().rev().find(|send| send.at <= at && send.lost.is_none())
    }
}

/// All segments of a run, in the order in which they were sent first.
pub(super) fn messages(recording: &Recording) -> Vec<Message<'_>> {
    let mut messages: Vec<Message<'_>> = Vec::new();
    let mut places: BTreeMap<SegmentName, usize> = BTreeMap::new();
    let mut arrivals = Vec::new();
    for packet in &recording.packets {
        let name = (packet.flow, packet.forward, packet.segment);
        match &packet.what {
            PacketEvent::Sent { kind, from, to, length, bytes } => {
                places.insert(name, messages.len());
                messages.push(Message {
                    addresses: Some((*from, *to)),
                    bytes,
                    segment: packet.segment,
                    sends: vec![Send { at: packet.at, attempt: 0, lost: None, arrivals: Vec::new() }],
                    ..Message::injected(packet, *kind, *length)
                });
            }
            PacketEvent::Arrived { kind, length } if packet.segment == INJECTED => {
                messages.push(Message::injected(packet, *kind, *length));
            }
            PacketEvent::Arrived { length, .. } => arrivals.push((name, packet.at, *length)),
            PacketEvent::SentAgain(attempt) => {
                let Some(message) = places.get(&name).map(|place| &mut messages[*place]) else { continue };
                match attempt {
                    0 => message.sends[0].at = packet.at,
                    again => {
                        let send = Send { at: packet.at, attempt: *again, lost: None, arrivals: Vec::new() };
                        message.sends.push(send);
                    }
                }
            }
            PacketEvent::Unpowered => {
                let Some(message) = places.get(&name).map(|place| &mut messages[*place]) else { continue };
                if let Some(send) = message.send_before(packet.at) {
                    send.lost = Some(Lost::Unpowered);
                }
            }
        }
    }
    add_faults(recording, &places, &mut messages);
    // Only once it is known what was lost is it known which transmission arrived.
    for (name, at, length) in arrivals {
        let Some(message) = places.get(&name).map(|place| &mut messages[*place]) else { continue };
        if let Some(send) = message.send_before(at) {
            send.arrivals.push((at, length));
        }
    }
    messages.sort_by_key(|message| message.sends.first().map(|send| send.at));
    messages
}

/// Adds what faults did to the segments.
fn add_faults(recording: &Recording, places: &BTreeMap<SegmentName, usize>, messages: &mut [Message<'_>]) {
    for record in &recording.records {
        match &record.event {
            Event::SegmentAffected { fault: Some(fault), flow, forward, segment, lost, extra, late, .. } => {
                let place = places.get(&(*flow, *forward, *segment));
                let Some(message) = place.map(|place| &mut messages[*place]) else { continue };
                for send in &mut message.sends {
                    if lost.checked_shr(send.attempt).is_some_and(|bits| bits & 1 == 1) {
                        send.lost = Some(Lost::ByFault(*fault));
                    }
                }
                if *lost == 0 && late.is_none() {
                    message.blocked_by.push(*fault);
                }
                if !extra.is_zero() {
                    message.delayed_by.push((*fault, *extra));
                }
            }
            Event::SegmentCorrupted { fault, flow, forward, segment, bit } => {
                if let Some(place) = places.get(&(*flow, *forward, *segment)) {
                    messages[*place].corrupted_by.push((*fault, *bit));
                }
            }
            _ => {}
        }
    }
}

/// The text of each segment that begins an HTTP/1 message: its first line.
pub(super) fn headlines(recording: &Recording) -> BTreeMap<SegmentName, &str> {
    let mut counts: BTreeMap<(FlowKey, bool), u32> = BTreeMap::new();
    let mut lines = BTreeMap::new();
    for record in &recording.records {
        if let Event::Sent { flow, forward, .. } = &record.event {
            let number = counts.entry((*flow, *forward)).or_default();
            if let Some(text) = record.text.as_deref() {
                lines.insert((*flow, *forward, *number), text);
            }
            *number += 1;
        }
    }
    lines
}
