//! UDP: sockets that send and receive datagrams, over the same links as the segments of connections.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use bytes::Bytes;

use super::bound::{Bound, is_conflict, receivers};
use super::flow::{Flow, FlowId, Packet, Side};
use super::inbox::Inbox;
use super::kernel::Net;
use super::machine::Kernel;
use super::names::{address, is_own};
use super::shared::SharedNet;
use crate::alive::AliveFlag;
use crate::trace::{FlowKey, HostId, SegmentKind};

/// The most bytes of one datagram: a 16-bit length without the headers of IPv4 and UDP.
const LARGEST: usize = 65_507;

/// Set in the number of a flow of datagrams, beside the port of its sender, so that it is none of a connection.
const DATAGRAMS: u32 = 1 << 31;

/// Set beside it if they go to an IPv6 address, so that they have decisions of their own.
const IPV6: u32 = 1 << 16;

/// Linux's number of the error for a message that is too long.
const EMSGSIZE: i32 = 90;

impl Net {
    /// Binds a datagram socket to a port of one address of the machine, or of all. Port 0 stands for any free port.
    fn bind_datagrams(&mut self, host: HostId, on: Option<IpAddr>, port: u16) -> io::Result<Bound> {
        let Kernel { inboxes, ports, .. } = &mut self.kernels[host.index()];
        let is_used = |port| inboxes.keys().any(|(used, _)| *used == port);
        let free = if port == 0 { ports.take_for_listener(is_used) } else { Some(port) };
        let port = free.ok_or(io::ErrorKind::AddrInUse)?;
        if inboxes.keys().any(|other| is_conflict((port, on), *other)) {
            let text = format!("{} already has a datagram socket on port {port}", self.names.of(host));
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        inboxes.insert((port, on), Inbox::default());
        Ok((port, on))
    }

    fn close_datagrams(&mut self, host: HostId, bound: Bound) {
        self.kernels[host.index()].inboxes.remove(&bound);
    }

    fn inbox(&mut self, host: HostId, bound: Bound) -> Option<&mut Inbox> {
        self.kernels[host.index()].inboxes.get_mut(&bound)
    }

    fn send_datagram(&mut self, from: (HostId, u16), to: (HostId, IpAddr, u16), bytes: Bytes) {
        let ((from, from_port), (to, address, port)) = (from, to);
        let next = self.flows.len() as FlowId;
        let flow = *self.datagram_flows.entry((from, from_port, address, port)).or_insert(next);
        if flow == next {
            let kind = if address.is_ipv6() { DATAGRAMS | IPV6 } else { DATAGRAMS };
            let key = FlowKey { from, to, port, ordinal: kind | u32::from(from_port) };
            self.flows.push(Flow::new(key, address, from_port));
        }
        // An earlier life of the machine may have sent some, too.
        self.flows[flow as usize].gone_at = [None; 2];
        self.send(flow, Side::Client, SegmentKind::Datagram, bytes, 0);
    }

    /// A datagram reaches its machine. Without a socket, or without room in it, it is lost.
    pub(super) fn arrive_datagram(&mut self, host: HostId, packet: Packet) {
        let flow = &self.flows[packet.flow as usize];
        let (port, on, from) = (flow.key.port, flow.address, self.local_address(packet.flow, Side::Client));
        let inboxes = &mut self.kernels[host.index()].inboxes;
        let bound = receivers(port, on).into_iter().find(|bound| inboxes.contains_key(bound));
        let Some(inbox) = bound.and_then(|bound| inboxes.get_mut(&bound)) else { return };
        self.wake.extend(inbox.receive(packet.bytes, from));
    }
}

/// A UDP socket. Datagrams may be lost, duplicated, and overtake each other; the faults of links act on each by itself.
/// One that finds no socket, or one whose buffer is full, is lost silently.
#[derive(Debug)]
pub struct UdpSocket {
    net: SharedNet,
    host: HostId,
    alive: AliveFlag,
    bound: Bound,
}

impl UdpSocket {
    /// # Errors
    /// `AddrInUse` if the host already has a datagram socket on this port, `AddrNotAvailable` if the address is not one
    /// of the host's.
    pub(crate) fn bind(
        net: SharedNet,
        host: HostId,
        on: Option<IpAddr>,
        port: u16,
        alive: AliveFlag,
    ) -> io::Result<UdpSocket> {
        if !on.is_none_or(|on| is_own(host.index(), on)) {
            return Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
        }
        let bound = if alive.is_set() { net.lock().bind_datagrams(host, on, port)? } else { (port, on) };
        Ok(UdpSocket { net, host, alive, bound })
    }

    /// Sends a datagram to an address, for example the one that another came from. Returns its length.
    ///
    /// # Errors
    /// Linux's `EMSGSIZE` if it has more than 65,507 bytes, and `NetworkUnreachable` if no host has the
    /// address.
    pub async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        if !self.alive.is_set() {
            // An error would let the dead program act for the rest of the step.
            std::future::pending::<()>().await;
        }
        if bytes.len() > LARGEST {
            return Err(io::Error::from_raw_os_error(EMSGSIZE));
        }
        let mut net = self.net.lock();
        let found = net.names.hosts(self.host, &to.ip().to_string());
        let Some((host, address)) = found.first().copied() else {
            return Err(io::Error::from(io::ErrorKind::NetworkUnreachable));
        };
        net.send_datagram((self.host, self.bound.0), (host, address, to.port()), Bytes::copy_from_slice(bytes));
        Ok(bytes.len())
    }

    /// The next datagram: how many of its bytes fit into the buffer, and where it came from. The others are lost.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's socket.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_recv_from(cx, buffer)).await
    }

    /// Polls for the next datagram.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's socket.
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        if !self.alive.is_set() {
            return Poll::Pending;
        }
        let mut net = self.net.lock();
        let Some(inbox) = net.inbox(self.host, self.bound) else { return Poll::Pending };
        let Some((bytes, from)) = inbox.take(cx.waker()) else { return Poll::Pending };
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Poll::Ready(Ok((length, from)))
    }

    /// The address of this socket: the host's own IPv4 address if it is bound to all.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let (port, on) = self.bound;
        Ok(SocketAddr::new(on.unwrap_or_else(|| address(self.host.index())), port))
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        if self.alive.is_set() {
            self.net.lock().close_datagrams(self.host, self.bound);
        }
    }
}
