//! What a kernel does with the segments that reach it: handshakes, bytes, ends and resets.

use std::cmp::Reverse;
use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::flow::{End, EndState, FlowId, Packet, Side};
use super::kernel::Net;
use super::listening::{Completed, Request};
use crate::trace::{Event, HostId, PacketEvent, PacketRecord, SegmentKind};

impl Net {
    /// Processes the segments that are due on a machine; returns when the next one is due.
    pub(super) fn process(&mut self, host: HostId, now: Duration) -> Option<Duration> {
        if self.kernels[host.index()].listeners.next_due().is_some_and(|due| due <= now) {
            self.expire_handshakes(host, now);
        }
        self.process_arrivals(host, now);
        self.repeat_requests(host, now);
        self.probe_idle(host, now);
        self.ring_alarms(host, now);
        self.kernels[host.index()].next_due()
    }

    fn ring_alarms(&mut self, host: HostId, now: Duration) {
        let alarms = &mut self.kernels[host.index()].alarms;
        while let Some(first) = alarms.first_entry().filter(|first| first.key().0 <= now) {
            self.wake.push(first.remove());
        }
    }

    /// Sends SYN-ACKs again that nothing has acknowledged, or forgets their connections.
    fn expire_handshakes(&mut self, host: HostId, now: Duration) {
        let (again, forgotten) = self.kernels[host.index()].listeners.expire(now);
        for flow in again {
            self.send(flow, Side::Server, SegmentKind::SynAck, Bytes::new(), 0);
        }
        for flow in forgotten {
            self.flows[flow as usize].forget(Side::Server, now);
        }
    }

    fn process_arrivals(&mut self, host: HostId, now: Duration) {
        while let Some(Reverse((due, _, id))) = self.kernels[host.index()].arrivals.peek().copied() {
            if due > now {
                return;
            }
            self.kernels[host.index()].arrivals.pop();
            if !self.has_power(host) {
                self.arrive_without_power(id, now);
            } else if let Some(packet) = self.packets.take(id) {
                self.arrive(host, packet, now);
            }
        }
    }

    /// A segment that reaches a machine without power is lost.
    fn arrive_without_power(&mut self, id: u32, now: Duration) {
        self.record_packet(id, now, PacketEvent::Unpowered);
        let Some(packet) = self.packets.get(id) else { return };
        if packet.is_sent_once() {
            drop(self.packets.take(id));
        } else {
            self.timers.push(Reverse((now, id)));
        }
    }

    fn arrive(&mut self, host: HostId, packet: Packet, now: Duration) {
        let flow = packet.flow;
        let side = packet.side.other();
        let key = self.flows[flow as usize].key;
        let event = Event::Arrived { flow: key, forward: packet.side == Side::Client, kind: packet.kind };
        {
            let trace = &mut self.recording.lock().trace;
            trace.log_arrived(now, key, packet.side == Side::Client, packet.kind, packet.bytes.len());
            trace.push(now, Some(host), event);
            if trace.is_rich() {
                let what = PacketEvent::Arrived { kind: packet.kind, length: packet.bytes.len() as u32 };
                let (forward, segment) = (packet.side == Side::Client, packet.ordinal);
                trace.packet(&PacketRecord { at: now, flow: key, forward, segment, what }, &[]);
            }
        }
        match packet.kind {
            SegmentKind::Datagram => return self.arrive_datagram(host, packet),
            SegmentKind::Unreachable => return self.arrive_unreachable(host, flow),
            _ => {}
        }
        self.heard(flow, side, now);
        let is_open = |end: &End| end.state == EndState::Open;
        if matches!(packet.kind, SegmentKind::Data | SegmentKind::Fin | SegmentKind::Window)
            && self.flows[flow as usize].ends[side.index()].as_ref().is_some_and(is_open)
        {
            // The kernel acknowledges it, whether or not the program reads.
            self.heard(flow, packet.side, now);
        }
        match packet.kind {
            SegmentKind::Syn => return self.arrive_syn(host, flow, now),
            SegmentKind::Rst => {
                self.flows[flow as usize].forget(side, now);
                self.kernels[host.index()].listeners.forget(flow);
            }
            SegmentKind::SynAck => {}
            // Every other segment acknowledges the SYN-ACK.
            _ if side == Side::Client || self.flows[flow as usize].ends[side.index()].is_some() => {}
            _ => match self.kernels[host.index()].listeners.complete(flow) {
                Completed::Unknown => {}
                Completed::Dropped => return self.keep_for_later(packet, now),
                Completed::Yes(waiting) => {
                    self.wake.extend(waiting);
                    self.flows[flow as usize].ends[side.index()] = Some(End::new(EndState::Open));
                }
            },
        }
        let is_forgotten = self.flows[flow as usize].gone_at[side.index()].is_some();
        let Some(end) = self.flows[flow as usize].ends[side.index()].as_mut() else {
            // No program holds this end. The peer learns of it by a reset, unless the kernel expects the segment: it
            // still knows a connection that its program has closed.
            let is_answered = match packet.kind {
                SegmentKind::Data | SegmentKind::SynAck => true,
                SegmentKind::Ack | SegmentKind::Fin | SegmentKind::Window | SegmentKind::Probe => is_forgotten,
                SegmentKind::Syn | SegmentKind::Rst | SegmentKind::Datagram | SegmentKind::Unreachable => false,
            };
            if is_answered {
                self.refuse(packet, now);
            }
            return;
        };
        match packet.kind {
            SegmentKind::Rst if end.state == EndState::Gone => {}
            SegmentKind::Rst => {
                let error = match end.state {
                    EndState::Connecting => io::ErrorKind::ConnectionRefused,
                    EndState::Open | EndState::Gone => io::ErrorKind::ConnectionReset,
                };
                end.fail(error, now, &mut self.wake);
            }
            // The peer may not know: a firewall can reset one end only.
            SegmentKind::Data | SegmentKind::Fin | SegmentKind::Window | SegmentKind::Probe
                if end.state == EndState::Gone =>
            {
                self.refuse(packet, now);
            }
            _ if end.state == EndState::Gone => {}
            SegmentKind::SynAck => {
                end.state = EndState::Open;
                end.wake_all(&mut self.wake);
                self.send(flow, side, SegmentKind::Ack, Bytes::new(), 0);
            }
            SegmentKind::Data => {
                end.received.push_back(packet.bytes);
                end.wake_all(&mut self.wake);
                let was_in_flight = end.is_in_flight();
                end.unanswered = true;
                if !was_in_flight && end.accepted {
                    self.all_host_faults.one_more_in_flight(host, now);
                }
            }
            SegmentKind::Fin => {
                end.peer_finished = true;
                end.ended_at.get_or_insert(now);
                end.wake_all(&mut self.wake);
            }
            SegmentKind::Window => {
                end.credit += packet.room as usize;
                end.wake_writer(&mut self.wake);
            }
            SegmentKind::Probe => self.send(flow, side, SegmentKind::Ack, Bytes::new(), 0),
            SegmentKind::Syn | SegmentKind::Ack | SegmentKind::Datagram | SegmentKind::Unreachable => {}
        }
    }

    /// Answers a segment of an unknown connection with a reset. As nothing acknowledges the segment, its sender sends
    /// it again unless the reset arrives.
    fn refuse(&mut self, packet: Packet, now: Duration) {
        self.send(packet.flow, packet.side.other(), SegmentKind::Rst, Bytes::new(), 0);
        self.keep_for_later(packet, now);
    }

    /// A segment was not acknowledged: its sender sends it again.
    fn keep_for_later(&mut self, packet: Packet, now: Duration) {
        if matches!(packet.kind, SegmentKind::Data | SegmentKind::Fin) && !packet.is_sent_once() {
            let id = self.packets.push(Packet { follows: None, ..packet });
            self.timers.push(Reverse((now, id)));
        }
    }

    fn arrive_syn(&mut self, host: HostId, flow: FlowId, now: Duration) {
        let (port, address) = (self.flows[flow as usize].key.port, self.flows[flow as usize].address);
        match self.flows[flow as usize].ends[Side::Server.index()].as_ref().map(|end| end.state) {
            None => {}
            // A firewall reset this end while the client kept trying: the connection is gone.
            Some(EndState::Gone) => return self.send(flow, Side::Server, SegmentKind::Rst, Bytes::new(), 0),
            // The client tried again although it has sent a segment that completed the handshake: that may be on its
            // way still.
            Some(_) => return self.send(flow, Side::Server, SegmentKind::SynAck, Bytes::new(), 0),
        }
        let state = &self.flows[flow as usize];
        let key = (state.key.from.index(), state.client_port, state.key.ordinal);
        match self.kernels[host.index()].listeners.request(port, address, flow, key, now) {
            Request::Refused => self.send(flow, Side::Server, SegmentKind::Rst, Bytes::new(), 0),
            Request::RefusedUntil(opens_at) => {
                self.all_host_faults.refused_at_start(host, port, opens_at, now);
                self.send(flow, Side::Server, SegmentKind::Rst, Bytes::new(), 0);
            }
            Request::Dropped => {}
            Request::Granted => {
                // An earlier life of the kernel may have known the connection.
                self.flows[flow as usize].gone_at[Side::Server.index()] = None;
                self.send(flow, Side::Server, SegmentKind::SynAck, Bytes::new(), 0);
            }
        }
    }
}
