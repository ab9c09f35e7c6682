//! What the kernels of the simulated machines do: connections, windows, backlogs, ports, resets. One [`Net`] holds them
//! all. It decides nothing about a segment on its way; the wire does.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::hash::Hasher;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use siphasher::sip::SipHasher13;
use turmoil::net::UdpSocket;

use super::flow::{End, EndState, Flow, FlowId, Packet, Side};
use super::host_faults::{AllHostFaults, HostFaults};
use super::limits::SocketLimits;
use super::listening::Listening;
use super::packets::{Arrival, Packets};
use super::triggered::{TriggerAction, TriggeredFault};
use crate::alive::AliveFlag;
use crate::history::SharedTape;
use crate::sandbox;
use crate::trace::{Event, FlowKey, HostId, SegmentKind};

/// The port on which each machine's network card receives tickets.
pub(crate) const CARD_PORT: u16 = 1;

/// How long a segment takes from a machine to itself.
const LOOPBACK: Duration = Duration::from_micros(50);

/// Linux's default ephemeral ports.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// Whether a machine answers at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MachineState {
    /// The kernel runs, whether or not a program does.
    On,
    /// No power.
    Off,
}

/// The kernel of one machine.
#[derive(Debug)]
pub(crate) struct Kernel {
    ip: IpAddr,
    state: MachineState,
    pub(super) card: Option<Arc<UdpSocket>>,
    pub(super) listeners: BTreeMap<u16, Listening>,
    connects: BTreeMap<(HostId, u16), u32>,
    ports: BTreeSet<u16>,
    next_port: u16,
    /// Segments that the card has received, by the time at which they arrive.
    pub(super) arrivals: BinaryHeap<Arrival>,
    /// Segments to be sent as soon as the machine's next program is polled.
    pub(super) outbox: Vec<u32>,
    /// Segments that reached a machine without power: their senders go on trying.
    parked: Vec<u32>,
    pub(super) host_faults: HostFaults,
    pub(super) task: Option<Waker>,
    pub(super) limits: SocketLimits,
}

impl Kernel {
    fn new(ip: IpAddr) -> Kernel {
        Kernel {
            ip,
            state: MachineState::On,
            card: None,
            listeners: BTreeMap::new(),
            connects: BTreeMap::new(),
            ports: BTreeSet::new(),
            next_port: *EPHEMERAL.start(),
            arrivals: BinaryHeap::new(),
            outbox: Vec::new(),
            parked: Vec::new(),
            host_faults: HostFaults::default(),
            task: None,
            limits: SocketLimits::default(),
        }
    }
}

/// Every kernel, connection and segment of a world.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) tape: SharedTape,
    pub(crate) names: Vec<String>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) packets: Packets,
    /// Segments about which the wire has not decided yet.
    pub(crate) undecided: Vec<u32>,
    pub(super) kernels: Vec<Kernel>,
    /// The gate of each host's program.
    pub(super) alive: Vec<AliveFlag>,
    /// What is to be done when the moment of a fault comes, by the fault's index in the plan.
    pub(crate) trigger_actions: BTreeMap<u32, TriggerAction>,
    /// The faults whose moment came since the world last looked.
    pub(crate) triggered: Vec<TriggeredFault>,
    /// Whether anybody waits for a message.
    pub(crate) watches_messages: bool,
    pub(crate) all_host_faults: AllHostFaults,
    pub(super) wake: Vec<Waker>,
    /// How often faults of the plan that the kernels carry out by themselves changed something.
    pub(crate) effects: BTreeMap<u32, u64>,
}

/// A shared handle to the network.
#[derive(Clone, Debug)]
pub(crate) struct SharedNet(Arc<Mutex<Net>>);

/// Holds the network; wakes whom it must when it lets go.
pub(crate) struct NetGuard<'a>(Option<MutexGuard<'a, Net>>);

impl std::ops::Deref for NetGuard<'_> {
    type Target = Net;
    fn deref(&self) -> &Net {
        self.0.as_ref().expect("a guard is emptied only when it is dropped")
    }
}

impl std::ops::DerefMut for NetGuard<'_> {
    fn deref_mut(&mut self) -> &mut Net {
        self.0.as_mut().expect("a guard is emptied only when it is dropped")
    }
}

impl Drop for NetGuard<'_> {
    fn drop(&mut self) {
        let wake = std::mem::take(&mut self.wake);
        // A waker may run code that takes the network again.
        drop(self.0.take());
        for waker in wake {
            waker.wake();
        }
    }
}

impl SharedNet {
    pub(crate) fn new(tape: SharedTape, names: Vec<String>) -> SharedNet {
        let kernels: Vec<Kernel> = (0..names.len()).map(|index| Kernel::new(address(index))).collect();
        let net = Net {
            tape,
            names,
            flows: Vec::new(),
            packets: Packets::default(),
            undecided: Vec::new(),
            alive: vec![AliveFlag::default(); kernels.len()],
            kernels,
            trigger_actions: BTreeMap::new(),
            triggered: Vec::new(),
            watches_messages: false,
            all_host_faults: AllHostFaults::default(),
            wake: Vec::new(),
            effects: BTreeMap::new(),
        };
        SharedNet(Arc::new(Mutex::new(net)))
    }

    /// The network. A panic elsewhere while it was held leaves it usable: the run is reported all the same.
    pub(crate) fn lock(&self) -> NetGuard<'_> {
        NetGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The address of the host with this index: 192.168.0.1 and on, as turmoil gives them.
pub(crate) fn address(index: usize) -> IpAddr {
    let [_, _, high, low] = (index as u32 + 1).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(192, 168, high, low))
}

impl Net {
    pub(crate) fn host_named(&self, name: &str) -> Option<HostId> {
        if let Some(index) = self.names.iter().position(|known| known == name) {
            return Some(HostId(index as u16));
        }
        let ip: IpAddr = name.parse().ok()?;
        self.kernels.iter().position(|kernel| kernel.ip == ip).map(|index| HostId(index as u16))
    }

    pub(crate) fn flow(&mut self, flow: FlowId) -> &mut Flow {
        &mut self.flows[flow as usize]
    }

    pub(crate) fn local_address(&self, flow: FlowId, side: Side) -> SocketAddr {
        let flow = &self.flows[flow as usize];
        let port = if side == Side::Client { flow.client_port } else { flow.key.port };
        SocketAddr::new(self.kernels[flow.host(side).index()].ip, port)
    }

    /// A new connection from `host`; its SYN is yet to be sent.
    pub(crate) fn open(&mut self, host: HostId, to: HostId, port: u16) -> io::Result<FlowId> {
        let name = &self.names[host.index()];
        let kernel = &mut self.kernels[host.index()];
        if kernel.ports.len() == EPHEMERAL.len() {
            let text =
                format!("{name} has no free port left: {} connections are open or being opened", EPHEMERAL.len());
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        }
        while !kernel.ports.insert(kernel.next_port) {
            kernel.next_port = following(kernel.next_port);
        }
        let client_port = kernel.next_port;
        kernel.next_port = following(client_port);
        let next = kernel.connects.entry((to, port)).or_default();
        let key = FlowKey { from: host, to, port, ordinal: *next };
        *next += 1;
        let id = self.flows.len() as FlowId;
        let mut flow = Flow::new(key, client_port);
        flow.ends[Side::Client.index()] = Some(End::new(EndState::Connecting));
        self.flows.push(flow);
        self.tape.lock().trace.counters.connects += 1;
        Ok(id)
    }

    /// A program lets go of its end: FIN, or RST if bytes were left unread (RFC 9293, 3.10.4).
    pub(crate) fn close(&mut self, flow: FlowId, side: Side) {
        let Some(end) = self.take_end(flow, side) else { return };
        match end.state {
            EndState::Connecting | EndState::Reset => {}
            EndState::Open if !end.received.is_empty() => self.send(flow, side, SegmentKind::Rst, Bytes::new(), 0),
            EndState::Open if !end.finished => self.send(flow, side, SegmentKind::Fin, Bytes::new(), 0),
            EndState::Open => {}
        }
    }

    pub(super) fn abort(&mut self, flow: FlowId, side: Side) {
        if let Some(end) = self.take_end(flow, side)
            && end.state == EndState::Open
        {
            self.send(flow, side, SegmentKind::Rst, Bytes::new(), 0);
        }
    }

    fn take_end(&mut self, flow: FlowId, side: Side) -> Option<End> {
        let flow = &mut self.flows[flow as usize];
        let end = flow.ends[side.index()].take()?;
        if side == Side::Client {
            self.kernels[flow.key.from.index()].ports.remove(&flow.client_port);
        } else if end.is_in_flight() {
            self.kernels[flow.key.to.index()].host_faults.in_flight -= 1;
        }
        Some(end)
    }

    /// Hands a segment to the network.
    pub(crate) fn send(&mut self, flow: FlowId, side: Side, kind: SegmentKind, bytes: Bytes, room: u32) {
        let now = sandbox::now();
        let state = &mut self.flows[flow as usize];
        let (key, from, to) = (state.key, state.host(side), state.host(side.other()));
        if self.kernels[from.index()].state == MachineState::Off {
            return;
        }
        if self.watches_messages && kind == SegmentKind::Data && !self.is_sent_still(from, to, &bytes) {
            return;
        }
        let state = &mut self.flows[flow as usize];
        let ordinal = state.sent[side.index()];
        state.sent[side.index()] += 1;
        if kind == SegmentKind::Data && state.answered(side) {
            self.kernels[from.index()].host_faults.in_flight -= 1;
        }
        self.record_sent(now, from, key, side, kind, &bytes);
        let due = if from == to { now + LOOPBACK } else { Duration::MAX };
        let (dropped, follows) = (false, None);
        let id =
            self.packets.push(Packet { flow, side, kind, bytes, room, ordinal, sent_at: now, due, dropped, follows });
        if from == to {
            return self.arrive_without_datagram(id);
        }
        self.undecided.push(id);
        let kernel = &self.kernels[from.index()];
        // Whether this machine's program is the one that runs now: otherwise its card cannot be used.
        if sandbox::current_host() == Some(from.index()) && kernel.card.is_some() {
            self.transmit(from, id);
        } else {
            self.kernels[from.index()].outbox.push(id);
            let task = self.kernels[from.index()].task.take();
            self.wake.extend(task);
        }
    }

    /// Counts a message for whoever waits for it; false if it must not leave, as its sender goes down by it.
    fn is_sent_still(&mut self, from: HostId, to: HostId, bytes: &Bytes) -> bool {
        let due = self.tape.lock().trigger_points.message(from, to, bytes);
        for fault in due {
            self.trigger(fault, from);
        }
        self.alive[from.index()].is_set()
    }

    fn record_sent(&self, now: Duration, from: HostId, key: FlowKey, side: Side, kind: SegmentKind, bytes: &Bytes) {
        let mut hasher = SipHasher13::new();
        hasher.write(bytes);
        let event = Event::Sent {
            flow: key,
            forward: side == Side::Client,
            kind,
            length: bytes.len() as u32,
            digest: hasher.finish(),
        };
        let mut tape = self.tape.lock();
        tape.trace.counters.segments += 1;
        tape.trace.counters.bytes += bytes.len() as u64;
        tape.trace.push_with(now, Some(from), event, |text| text.write_str(headline(bytes).unwrap_or_default()));
    }

    fn transmit(&self, from: HostId, id: u32) {
        let Some(packet) = self.packets.get(id) else { return };
        let flow = &self.flows[packet.flow as usize];
        let to = flow.host(packet.side.other());
        let address = SocketAddr::new(self.kernels[to.index()].ip, CARD_PORT);
        let card = self.kernels[from.index()].card.as_ref().expect("a machine that transmits has a card");
        // Turmoil refuses a datagram only for an address that is no host, and every kernel is one.
        let sent = card.try_send_to(&id.to_le_bytes(), address);
        debug_assert!(sent.is_ok(), "turmoil refused a datagram: {sent:?}");
    }

    pub(super) fn flush(&mut self, host: HostId) {
        for id in std::mem::take(&mut self.kernels[host.index()].outbox) {
            self.transmit(host, id);
        }
    }

    /// The process of a machine is gone, and its kernel closes what it had open.
    pub(crate) fn kill(&mut self, host: HostId) {
        let ports: Vec<u16> = self.kernels[host.index()].listeners.keys().copied().collect();
        for port in ports {
            self.unlisten(host, port);
        }
        for (flow, side) in self.ends_of(host) {
            self.close(flow, side);
        }
    }

    /// Whether a machine has power, whether or not its program runs.
    pub(crate) fn has_power(&self, host: HostId) -> bool {
        self.kernels[host.index()].state == MachineState::On
    }

    /// A machine loses power: all that its kernel knew is gone, and nobody is told.
    pub(crate) fn power_off(&mut self, host: HostId) {
        for (flow, side) in self.ends_of(host) {
            self.take_end(flow, side);
        }
        let kernel = &mut self.kernels[host.index()];
        kernel.state = MachineState::Off;
        kernel.listeners.clear();
        kernel.outbox.clear();
    }

    /// A machine gets its power back. What was sent to it meanwhile arrives at `next_attempt` of its sender.
    pub(crate) fn power_on(&mut self, host: HostId, next_attempt: impl Fn(&Packet, &Flow) -> Duration) {
        let parked = std::mem::take(&mut self.kernels[host.index()].parked);
        for id in parked {
            let Some(packet) = self.packets.get_mut(id) else { continue };
            packet.due = next_attempt(packet, &self.flows[packet.flow as usize]);
            let arrival = self.packets.arrival(id);
            self.kernels[host.index()].arrivals.extend(arrival);
        }
        let kernel = &mut self.kernels[host.index()];
        kernel.state = MachineState::On;
        self.wake.extend(kernel.task.take());
    }

    pub(super) fn ends_of(&self, host: HostId) -> Vec<(FlowId, Side)> {
        let mut ends = Vec::new();
        for (id, flow) in self.flows.iter().enumerate() {
            for side in [Side::Client, Side::Server] {
                if flow.host(side) == host && flow.ends[side.index()].is_some() {
                    ends.push((id as FlowId, side));
                }
            }
        }
        ends
    }

    /// Takes in what is due on a machine; returns when the next segment is.
    pub(super) fn process(&mut self, host: HostId, now: Duration) -> Option<Duration> {
        while let Some(Reverse((due, _, id))) = self.kernels[host.index()].arrivals.peek().copied() {
            if due > now {
                return Some(due);
            }
            self.kernels[host.index()].arrivals.pop();
            if self.kernels[host.index()].state == MachineState::Off {
                self.arrive_without_power(host, id);
            } else if let Some(packet) = self.packets.take(id)
                && !packet.dropped
            {
                self.arrive(host, packet, now);
            }
        }
        None
    }

    fn arrive_without_power(&mut self, host: HostId, id: u32) {
        let Some(packet) = self.packets.get(id) else { return };
        match packet.kind {
            // Nobody sends these again by itself.
            SegmentKind::Syn | SegmentKind::SynAck | SegmentKind::Rst => drop(self.packets.take(id)),
            SegmentKind::Data | SegmentKind::Fin | SegmentKind::Window => self.kernels[host.index()].parked.push(id),
        }
    }

    fn arrive(&mut self, host: HostId, packet: Packet, now: Duration) {
        let flow = packet.flow;
        let side = packet.side.other();
        let key = self.flows[flow as usize].key;
        let event = Event::Arrived { flow: key, forward: packet.side == Side::Client, kind: packet.kind };
        self.tape.lock().trace.push(now, Some(host), event);
        if packet.kind == SegmentKind::Syn {
            return self.arrive_syn(host, flow, now);
        }
        let Some(end) = self.flows[flow as usize].ends[side.index()].as_mut() else {
            // Nobody holds this end: bytes and answers are met with a reset, as the peer must learn of it.
            if matches!(packet.kind, SegmentKind::Data | SegmentKind::SynAck) {
                self.send(flow, side, SegmentKind::Rst, Bytes::new(), 0);
            }
            return;
        };
        match packet.kind {
            SegmentKind::Rst => {
                end.state = EndState::Reset;
                end.wake_all(&mut self.wake);
            }
            // The peer may not know: a firewall can reset one end alone.
            SegmentKind::Data if end.state == EndState::Reset => {
                self.send(flow, side, SegmentKind::Rst, Bytes::new(), 0);
            }
            _ if end.state == EndState::Reset => {}
            SegmentKind::SynAck => {
                end.state = EndState::Open;
                end.wake_all(&mut self.wake);
            }
            SegmentKind::Data => {
                // Bytes say that the connection was granted, even if the grant itself was lost.
                end.state = EndState::Open;
                end.received.push_back(packet.bytes);
                end.wake_all(&mut self.wake);
                let was_in_flight = end.is_in_flight();
                end.unanswered = true;
                if !was_in_flight && end.accepted {
                    self.one_more_in_flight(host, now);
                }
            }
            SegmentKind::Fin => {
                end.peer_finished = true;
                end.wake_all(&mut self.wake);
            }
            SegmentKind::Window => {
                end.credit += packet.room as usize;
                self.wake.extend(end.writer.take());
            }
            SegmentKind::Syn => {}
        }
    }
}

fn following(port: u16) -> u16 {
    if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 }
}

/// The first line of an HTTP/1 request or answer, without the protocol's version; none for other bytes.
pub(super) fn headline(bytes: &[u8]) -> Option<&str> {
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line.get(..line.len().min(200))?).ok()?;
    if let Some(status) = line.strip_prefix("HTTP/1.") {
        return status.get(2..);
    }
    let (request, _) = line.split_once(" HTTP/1.")?;
    let (method, _) = request.split_once(' ')?;
    method.bytes().all(|byte| byte.is_ascii_uppercase()).then_some(request)
}
