//! The calls of programs to their kernels: opening, accepting and closing connections, and how much may be read and
//! written.

use std::io;
use std::net::IpAddr;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use super::bound::SocketId;
use super::flow::{End, EndState, Flow, FlowId, Side};
use super::kernel::Net;
use super::limits::SocketLimits;
use super::listening::Manner;
use super::machine::Kernel;
use crate::sandbox;
use crate::trace::{FlowKey, HostId, SegmentKind};

impl Net {
    /// Opens a connection from `host` to an address of `to`, from this port, or from the next that is free; the caller
    /// sends its SYN.
    pub(crate) fn open(
        &mut self,
        host: HostId,
        from: Option<u16>,
        (to, address, port): (HostId, IpAddr, u16),
    ) -> io::Result<FlowId> {
        let kernel = &mut self.kernels[host.index()];
        let client_port = match from {
            Some(from) => kernel.ports.take_this((to, port), from, sandbox::now())?,
            None => kernel.ports.take(self.names.of(host), (to, port), sandbox::now())?,
        };
        let next = kernel.connects.entry((to, port)).or_default();
        let key = FlowKey { from: host, to, port, ordinal: *next };
        *next += 1;
        let mut flow = Flow::new(key, address, client_port);
        flow.ends[Side::Client.index()] = Some(End::new(EndState::Connecting));
        self.forget_what_is_over();
        self.recording.lock().trace.counters.connects += 1;
        Ok(self.flows.push(flow))
    }

    /// Lets a name stand for other hosts; returns whether it is known.
    pub(crate) fn point(&mut self, name: &str, hosts: Vec<HostId>) -> bool {
        self.names.point(name, hosts)
    }

    /// Starts to listen on a port of one address of the machine, or of all if there is none given. Port 0 stands for any
    /// free port.
    pub(super) fn listen(
        &mut self,
        host: HostId,
        on: Option<IpAddr>,
        port: u16,
        manner: Manner,
    ) -> io::Result<SocketId> {
        let Kernel { listeners, ports, .. } = &mut self.kernels[host.index()];
        let free = if port == 0 { ports.take_for_listener(|port| listeners.is_used(port)) } else { Some(port) };
        let port = free.ok_or(io::ErrorKind::AddrInUse)?;
        let delay = self.all_host_faults.listen_delay(host);
        let opens_at = if delay.is_zero() { Duration::ZERO } else { sandbox::now() + delay };
        self.kernels[host.index()].listeners.listen(self.names.of(host), (port, on), manner, opens_at)
    }

    /// The next connection that waits for a listener, or `None`, in which case `waker` is woken when one arrives.
    pub(super) fn accept(&mut self, host: HostId, listener: SocketId, waker: &Waker) -> Option<FlowId> {
        let flow = self.kernels[host.index()].listeners.accept(listener, waker)?;
        if let Some(end) = self.flows[flow as usize].end(Side::Server) {
            end.accepted = true;
            if end.unanswered {
                self.all_host_faults.one_more_in_flight(host, sandbox::now());
            }
        }
        Some(flow)
    }

    /// Stops listening; connections that still wait to be accepted are reset.
    pub(super) fn stop_listening(&mut self, host: HostId, listener: SocketId) {
        let (waiting, requested) = self.kernels[host.index()].listeners.stop_listening(listener);
        for flow in requested {
            self.flows[flow as usize].forget(Side::Server, sandbox::now());
        }
        for flow in waiting {
            if let Some(end) = self.take_end(flow, Side::Server)
                && end.state == EndState::Open
            {
                self.send(flow, Side::Server, SegmentKind::Rst, Bytes::new(), 0);
            }
        }
    }

    /// A program drops its end: the kernel sends FIN, or RST if bytes were left unread (RFC 9293, section 3.6.1) or the
    /// program asked for it.
    pub(crate) fn close(&mut self, flow: FlowId, side: Side) {
        let Some(end) = self.take_end(flow, side) else { return };
        match end.state {
            EndState::Connecting | EndState::Gone => {}
            EndState::Open if end.settings.resets_on_close() || !end.received.is_empty() => {
                self.send(flow, side, SegmentKind::Rst, Bytes::new(), 0)
            }
            EndState::Open if !end.finished => self.send(flow, side, SegmentKind::Fin, Bytes::new(), 0),
            EndState::Open => {}
        }
    }

    /// The process of a machine is gone: its kernel closes everything that it had open.
    pub(crate) fn kill(&mut self, host: HostId) {
        for listener in self.kernels[host.index()].listeners.all() {
            self.stop_listening(host, listener);
        }
        for (flow, side) in self.ends_of(host) {
            self.close(flow, side);
        }
        self.kernels[host.index()].inboxes.clear();
    }

    /// Sets the limits on the sockets of a machine from now on, for open connections too.
    pub(crate) fn limit_sockets(&mut self, host: HostId, limits: SocketLimits) {
        if !self.limits.set(host, limits) {
            return;
        }
        // A peer may know of a connection that this machine does not know yet: it is open there from the handshake's second
        // segment on.
        for (flow, side) in self.flows.sides_of(host) {
            // Room that was too small to announce may be all the room of the new window.
            self.announce(flow, side);
            if let Some(end) = self.flows[flow as usize].end(side.other()) {
                let mut wake = Vec::new();
                end.wake_writer(&mut wake);
                self.wake.extend(wake);
            }
        }
    }

    /// How many bytes a read into a buffer with `room` free bytes may return.
    pub(super) fn readable(&mut self, flow: FlowId, side: Side, room: usize) -> usize {
        let flow = &self.flows[flow as usize];
        self.limits.readable(flow.host(side), flow.ends[side.index()].as_ref(), room)
    }

    /// How many of `length` bytes a write may send, given `credit` bytes of room in the peer's whole window.
    pub(super) fn writable(&mut self, flow: FlowId, side: Side, credit: usize, length: usize) -> usize {
        let flow = &self.flows[flow as usize];
        self.limits.writable(flow.host(side), flow.host(side.other()), credit, length)
    }

    /// How many bytes a write of this side may send now.
    pub(super) fn room(&mut self, flow: FlowId, side: Side) -> usize {
        let flow = &self.flows[flow as usize];
        let credit = flow.ends[side.index()].as_ref().map_or(0, |end| end.credit);
        self.limits.room(flow.host(side.other()), credit)
    }

    /// Announces the room that reading has made to the peer, if it reaches the threshold.
    pub(super) fn announce(&mut self, flow: FlowId, side: Side) {
        let state = &mut self.flows[flow as usize];
        let threshold = self.limits.announce_threshold(state.host(side));
        let Some(end) = state.end(side).filter(|end| end.unannounced >= threshold) else { return };
        let room = std::mem::take(&mut end.unannounced) as u32;
        self.send(flow, side, SegmentKind::Window, Bytes::new(), room);
    }
}
