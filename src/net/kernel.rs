//! The kernels of the simulated machines: connections, windows, backlogs, ports, resets. One [`Net`] holds them all.
//! The wire decides about segments in flight.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use siphasher::sip::SipHasher13;

use super::flow::{End, Flow, FlowId, Packet, Side};
use super::flows::Flows;
use super::headline::headline;
use super::host_faults::AllHostFaults;
use super::limits::Limits;
use super::machine::Kernel;
use super::names::{Names, source};
use super::packets::Packets;
use crate::history::SharedRecording;
use crate::sandbox;
use crate::trace::{Event, HostId, PacketEvent, PacketRecord, SegmentKind};

/// How long a segment takes from a machine to itself.
const LOOPBACK: Duration = Duration::from_micros(50);

/// Every kernel, connection and segment of a world.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) recording: SharedRecording,
    pub(crate) names: Names,
    pub(crate) flows: Flows,
    /// The flows of datagrams: from which machine and port to which address and port.
    pub(super) datagram_flows: BTreeMap<(HostId, u16, IpAddr, u16), FlowId>,
    pub(crate) packets: Packets,
    /// Segments that the wire has not decided about yet.
    pub(crate) undecided: Vec<u32>,
    /// When kernels send segments again, each with its ticket.
    pub(crate) timers: BinaryHeap<Reverse<(Duration, u32)>>,
    pub(super) kernels: Vec<Kernel>,
    pub(crate) all_host_faults: AllHostFaults,
    pub(crate) limits: Limits,
    /// The wakers to wake when the network is unlocked.
    pub(super) wake: Vec<Waker>,
}

impl Net {
    pub(super) fn new(recording: SharedRecording, names: Vec<String>) -> Net {
        let hosts = names.len();
        Net {
            names: Names::new(names, recording.clone()),
            flows: Flows::new(hosts),
            datagram_flows: BTreeMap::new(),
            packets: Packets::default(),
            undecided: Vec::new(),
            timers: BinaryHeap::new(),
            kernels: (0..hosts).map(|_| Kernel::default()).collect(),
            all_host_faults: AllHostFaults::new(hosts, recording.clone()),
            limits: Limits::new(hosts),
            wake: Vec::new(),
            recording,
        }
    }

    pub(crate) fn flow(&mut self, flow: FlowId) -> &mut Flow {
        &mut self.flows[flow as usize]
    }

    pub(crate) fn local_address(&self, flow: FlowId, side: Side) -> SocketAddr {
        let flow = &self.flows[flow as usize];
        match side {
            Side::Server => SocketAddr::new(flow.address, flow.key.port),
            Side::Client => SocketAddr::new(source(flow.key.from.index(), flow.address), flow.client_port),
        }
    }

    /// Removes an end that no program or accept queue holds any more.
    pub(super) fn take_end(&mut self, flow: FlowId, side: Side) -> Option<End> {
        let flow = &mut self.flows[flow as usize];
        let end = flow.ends[side.index()].take()?;
        if side == Side::Client {
            let (ports, to) = (&mut self.kernels[flow.key.from.index()].ports, (flow.key.to, flow.key.port));
            if end.closes_first() {
                ports.release_later(to, flow.client_port, sandbox::now());
            } else {
                ports.release(to, flow.client_port);
            }
        } else if end.is_in_flight() {
            self.all_host_faults.one_less_in_flight(flow.key.to);
        }
        Some(end)
    }

    /// Sends a segment.
    pub(crate) fn send(&mut self, flow: FlowId, side: Side, kind: SegmentKind, bytes: Bytes, room: u32) {
        let now = sandbox::now();
        let state = &mut self.flows[flow as usize];
        let (from, to) = (state.host(side), state.host(side.other()));
        if !self.kernels[from.index()].has_power() {
            return;
        }
        let ordinal = state.sent[side.index()];
        state.sent[side.index()] += 1;
        match kind {
            SegmentKind::Rst => state.forget(side, now),
            SegmentKind::Data if state.mark_answered(side) => self.all_host_faults.one_less_in_flight(from),
            _ => {}
        }
        self.record_sent(now, flow, (side, ordinal), kind, &bytes);
        let due = if from == to { now + LOOPBACK } else { Duration::MAX };
        let id = self.packets.push(Packet {
            flow,
            side,
            kind,
            bytes,
            room,
            ordinal,
            sent_at: now,
            attempt: 0,
            lost_by: None,
            passed: false,
            due,
            follows: None,
        });
        if from == to {
            self.deliver(id);
        } else {
            self.undecided.push(id);
        }
    }

    fn record_sent(&self, now: Duration, flow: FlowId, segment: (Side, u32), kind: SegmentKind, bytes: &Bytes) {
        let ((side, ordinal), state) = (segment, &self.flows[flow as usize]);
        let (key, from) = (state.key, state.host(side));
        let mut hasher = SipHasher13::new();
        hasher.write(bytes);
        let event = Event::Sent {
            flow: key,
            forward: side == Side::Client,
            kind,
            length: bytes.len() as u32,
            digest: hasher.finish(),
        };
        let mut recording = self.recording.lock();
        recording.trace.counters.segments += 1;
        recording.trace.counters.bytes += bytes.len() as u64;
        recording.trace.log_sent(now, key, side == Side::Client, kind, bytes);
        recording.trace.push_with(now, Some(from), event, |text| text.write_str(headline(bytes).unwrap_or_default()));
        if recording.trace.is_rich() {
            let (from, to) = (self.local_address(flow, side), self.local_address(flow, side.other()));
            let what = PacketEvent::Sent { kind, from, to, length: bytes.len() as u32, bytes: Vec::new() };
            let forward = side == Side::Client;
            recording.trace.packet(&PacketRecord { at: now, flow: key, forward, segment: ordinal, what }, bytes);
        }
    }

    /// Keeps what happens to a segment in flight, in a rich trace.
    pub(super) fn record_packet(&self, id: u32, at: Duration, what: PacketEvent) {
        let Some(packet) = self.packets.get(id) else { return };
        let (flow, forward) = (self.flows[packet.flow as usize].key, packet.side == Side::Client);
        let packet = PacketRecord { at, flow, forward, segment: packet.ordinal, what };
        self.recording.lock().trace.packet(&packet, &[]);
    }

    /// Whether a machine has power, whether or not its program runs.
    pub(crate) fn has_power(&self, host: HostId) -> bool {
        self.kernels[host.index()].has_power()
    }

    /// A machine loses power: its kernel forgets everything, and no peer is notified.
    pub(crate) fn power_off(&mut self, host: HostId) {
        let now = sandbox::now();
        for (id, side) in self.flows.sides_of(host) {
            self.flows[id as usize].forget(side, now);
            self.take_end(id, side);
        }
        self.kernels[host.index()].power_off();
    }

    /// A machine regains power.
    pub(crate) fn power_on(&mut self, host: HostId) {
        let kernel = &mut self.kernels[host.index()];
        kernel.power_on();
        self.wake.extend(kernel.task.take());
    }

    /// Takes how often each fault that the kernels carry out themselves was effective.
    pub(crate) fn take_effects(&mut self) -> impl Iterator<Item = (u32, u64)> + use<> {
        let effects = [&mut self.limits.effects, &mut self.all_host_faults.effects, &mut self.names.effects];
        effects.map(std::mem::take).into_iter().flatten()
    }

    /// The sides of connections that a program or an accept queue of this machine holds.
    pub(super) fn ends_of(&self, host: HostId) -> Vec<(FlowId, Side)> {
        let mut sides = self.flows.sides_of(host);
        sides.retain(|(id, side)| self.flows[*id as usize].ends[side.index()].is_some());
        sides
    }

    /// Forgets the connections that are over, from time to time.
    pub(super) fn forget_what_is_over(&mut self) {
        if !self.flows.is_time_to_forget() {
            return;
        }
        let mut is_needed = self.packets.busy();
        is_needed.extend(self.datagram_flows.values());
        self.kernels.iter().for_each(|kernel| is_needed.extend(kernel.listeners.requested()));
        self.flows.forget_all_but(&is_needed);
    }
}
