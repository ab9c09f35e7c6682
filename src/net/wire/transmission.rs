//! What the faults of a link do to one transmission of a segment: they lose it, delay it, or corrupt its bytes.

use std::time::Duration;

use super::link::{Transmission, within};
use super::links::{Effect, Links, decision, record};
use crate::net::flow::{Packet, Side};
use crate::net::kernel::Net;
use crate::trace::{Event, SegmentKind};

impl Links {
    /// The fault that loses this transmission, if any.
    pub(super) fn loses(&mut self, net: &Net, id: u32, at: Duration) -> Option<u32> {
        let (packet, seed) = (net.packets.get(id)?, self.seed);
        let flow = &net.flows[packet.flow as usize];
        let (from, to) = (flow.host(packet.side), flow.host(packet.side.other()));
        let link = self.between(from, to);
        if link.faults.is_empty() {
            return None;
        }
        let link = self.between_mut(from, to);
        link.lost(seed, &transmission(net, packet, at))
    }

    /// A datagram that gets through may arrive a second time, after another latency: returns the ticket of the second one.
    pub(super) fn duplicate(&mut self, net: &mut Net, id: u32, at: Duration) -> Option<(u32, Duration)> {
        let packet = net.packets.get(id).filter(|packet| packet.kind == SegmentKind::Datagram)?;
        let flow = &net.flows[packet.flow as usize];
        let link = self.between(flow.host(packet.side), flow.host(packet.side.other()));
        let sent = transmission(net, packet, at);
        let fault = link.duplicates(self.seed, &sent)?;
        let latency = within(&link.latency, self.seed.decide_unit("latency of the second", &sent.name));
        self.effects[fault as usize] += 1;
        record(net, id, fault, at, Effect { late: Some(latency), ..Effect::default() });
        let twin = net.packets.twin(id)?;
        Some((twin, latency))
    }

    /// How long a transmission that gets through takes. Faults delay it, and may corrupt its bytes.
    pub(super) fn delay(&mut self, net: &mut Net, id: u32, at: Duration) -> Duration {
        let Some(packet) = net.packets.get(id) else { return Duration::ZERO };
        let flow = &net.flows[packet.flow as usize];
        let (from, to) = (flow.host(packet.side), flow.host(packet.side.other()));
        self.fill(from);
        let Links { seed, by_host, effects, .. } = self;
        let link = &mut by_host[from.index()][to.index()];
        let sent = transmission(net, packet, at);
        let mut latency = within(&link.latency, seed.decide_unit("latency", &sent.name));
        if link.faults.is_empty() && packet.lost_by.is_none() {
            return latency;
        }
        let (kind, sent_at, lost_by) = (packet.kind, packet.sent_at, packet.lost_by);
        let mut delayed_by = Vec::new();
        let mut corrupted_by: Option<(u32, Vec<u32>)> = None;
        for (fault, what) in &mut link.faults {
            let extra = what.extra(*seed, &sent);
            if !extra.is_zero() {
                effects[*fault as usize] += 1;
                delayed_by.push((*fault, extra));
                latency += extra;
            }
            if kind == SegmentKind::Data {
                let bits = what.corrupts(*seed, &sent, &packet.bytes, corrupted_by.is_some());
                if !bits.is_empty() {
                    effects[*fault as usize] += bits.len() as u64;
                    corrupted_by = Some((*fault, bits));
                }
            }
        }
        let late = Some(at + latency - sent_at);
        if let Some(fault) = lost_by {
            record(net, id, fault, at, Effect { late, ..Effect::default() });
        }
        for (fault, extra) in delayed_by {
            record(net, id, fault, at, Effect { extra, late, lost: 0 });
        }
        if let Some((fault, bits)) = corrupted_by {
            for bit in bits {
                corrupt(net, id, fault, bit);
            }
        }
        latency
    }
}

/// Inverts a bit of a segment, and records it.
fn corrupt(net: &mut Net, id: u32, fault: u32, bit: u32) {
    let Some(packet) = net.packets.get(id) else { return };
    let flow = &net.flows[packet.flow as usize];
    let (forward, segment) = (packet.side == Side::Client, packet.ordinal);
    let event = Event::SegmentCorrupted { fault, flow: flow.key, forward, segment, bit };
    net.recording.lock().trace.push(packet.sent_at, Some(flow.host(packet.side)), event);
    net.packets.corrupt(id, bit);
}

fn transmission(net: &Net, packet: &Packet, at: Duration) -> Transmission {
    let key = net.flows[packet.flow as usize].key;
    Transmission {
        segment: (key, packet.side == Side::Client, packet.ordinal),
        name: decision(key, packet.side, packet.ordinal, packet.attempt),
        at,
        bytes: packet.bytes.len(),
    }
}
