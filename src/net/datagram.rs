//! UDP: sockets that send and receive datagrams, over the same links as the segments of connections.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};

use super::bound::{Bound, Sharing, SocketId, digest, is_conflict, receivers};
use super::flow::{Flow, Packet, Side};
use super::inbox::Inbox;
use super::kernel::Net;
use super::machine::Kernel;
use super::names::{address, is_own, source};
use super::shared::SharedNet;
use crate::alive::AliveFlag;
use crate::trace::{FlowKey, HostId, SegmentKind};

/// The most bytes of one datagram: a 16-bit length without the headers of IPv4 and UDP.
const LARGEST: usize = 65_507;

/// Set in the number of a flow of datagrams, beside the port of its sender, so that it is none of a connection.
const DATAGRAMS: u32 = 1 << 31;

/// Set beside it if they go to an IPv6 address, so that they have decisions of their own.
const IPV6: u32 = 1 << 16;

/// Linux's numbers of the errors for a message that is too long, and for a socket without a peer to send to.
const EMSGSIZE: i32 = 90;
const EDESTADDRREQ: i32 = 89;

impl Net {
    /// Binds a datagram socket to a port of one address of the machine, or of all. Port 0 stands for any free port.
    fn bind_datagrams(&mut self, host: HostId, (port, on): Bound, sharing: Sharing) -> io::Result<SocketId> {
        let Kernel { inboxes, ports, .. } = &mut self.kernels[host.index()];
        let is_used = |port| inboxes.keys().any(|((used, _), _)| *used == port);
        let free = if port == 0 { ports.take_for_listener(is_used) } else { Some(port) };
        let bound = (free.ok_or(io::ErrorKind::AddrInUse)?, on);
        let forbids =
            |((other, _), inbox): (&SocketId, &Inbox)| is_conflict(bound, *other) && !sharing.allows(inbox.sharing);
        if inboxes.iter().any(forbids) {
            let text = format!("{} already has a datagram socket on port {}", self.names.of(host), bound.0);
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        let number = sharing_inboxes(inboxes, bound).last().map_or(0, |((_, last), _)| last + 1);
        inboxes.insert((bound, number), Inbox::new(sharing));
        Ok((bound, number))
    }

    fn close_datagrams(&mut self, host: HostId, socket: SocketId) {
        self.kernels[host.index()].inboxes.remove(&socket);
    }

    fn inbox(&mut self, host: HostId, socket: SocketId) -> Option<&mut Inbox> {
        self.kernels[host.index()].inboxes.get_mut(&socket)
    }

    fn send_datagram(&mut self, from: (HostId, u16), to: (HostId, IpAddr, u16), bytes: Bytes) {
        let ((from, from_port), (to, address, port)) = (from, to);
        let next = self.flows.next();
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

    /// A datagram reaches its machine. Without a socket that it is meant for, or without room in it, it is lost.
    pub(super) fn arrive_datagram(&mut self, host: HostId, packet: Packet) {
        let flow = &self.flows[packet.flow as usize];
        let (port, on, from) = (flow.key.port, flow.address, self.local_address(packet.flow, Side::Client));
        let inboxes = &mut self.kernels[host.index()].inboxes;
        let socket = receivers(port, on).into_iter().find_map(|bound| receiver(inboxes, bound, from));
        match socket.and_then(|socket| inboxes.get_mut(&socket)) {
            Some(inbox) => inbox.receive(packet.bytes, from, &mut self.wake),
            None => self.refuse_datagram(host, packet.flow),
        }
    }

    /// The host and the address that a program means by an address.
    fn destination(&self, from: HostId, to: SocketAddr) -> io::Result<(HostId, IpAddr, u16)> {
        let found = self.names.hosts(from, &to.ip().to_string());
        let (host, address) = found.first().ok_or(io::ErrorKind::NetworkUnreachable)?;
        Ok((*host, *address, to.port()))
    }
}

/// The sockets that are bound to the same.
pub(super) fn sharing_inboxes(inboxes: &BTreeMap<SocketId, Inbox>, bound: Bound) -> Range<'_, SocketId, Inbox> {
    inboxes.range((bound, 0)..=(bound, u32::MAX))
}

/// Which of the sockets that are bound to the same gets a datagram from this address: as on Linux, one that is connected to
/// its sender, and of several that are alike one by a hash of the addresses, or the one that was bound last.
fn receiver(inboxes: &BTreeMap<SocketId, Inbox>, bound: Bound, from: SocketAddr) -> Option<SocketId> {
    let meant = || sharing_inboxes(inboxes, bound).filter(|(_, inbox)| inbox.is_meant(from));
    let is_connected = meant().any(|(_, inbox)| inbox.peer.is_some());
    let alike = || meant().filter(|(_, inbox)| inbox.peer.is_some() == is_connected);
    let last = alike().next_back()?;
    let spread = || alike().filter(|(_, inbox)| inbox.sharing.spreads);
    let chosen = match spread().count() {
        several if several > 1 && last.1.sharing.spreads => {
            spread().nth((digest((from, bound)) % several as u64) as usize)?
        }
        _ => last,
    };
    Some(*chosen.0)
}

/// A UDP socket. Datagrams may be lost, duplicated, and overtake each other; the faults of links act on each by itself.
/// One that finds a socket whose buffer is full is lost silently.
///
/// A connected socket receives from its peer only. If nobody has the peer's port, the peer's machine says so, and one
/// later call, whether it sends or receives, fails with `ConnectionRefused`; a call on any other socket never does.
#[derive(Debug)]
pub struct UdpSocket {
    net: SharedNet,
    host: HostId,
    alive: AliveFlag,
    socket: SocketId,
}

impl UdpSocket {
    /// # Errors
    /// `AddrInUse` if the host already has a datagram socket on this port, unless both share it, and `AddrNotAvailable`
    /// if the address is not one of the host's.
    pub(crate) fn bind(
        net: SharedNet,
        host: HostId,
        on: Option<IpAddr>,
        port: u16,
        sharing: Sharing,
        alive: AliveFlag,
    ) -> io::Result<UdpSocket> {
        if !on.is_none_or(|on| is_own(host.index(), on)) {
            return Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
        }
        let bound = (port, on);
        let socket = if alive.is_set() { net.lock().bind_datagrams(host, bound, sharing)? } else { (bound, 0) };
        Ok(UdpSocket { net, host, alive, socket })
    }

    /// Connects the socket: `send` sends to this address, and only what comes from there arrives. What has arrived
    /// already stays. A socket can be connected again, to another address.
    ///
    /// # Errors
    /// `NetworkUnreachable` if no host has the address.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<()> {
        self.pend_if_dead().await;
        self.connect_now(to)
    }

    /// The same, at once.
    pub(crate) fn connect_now(&self, to: SocketAddr) -> io::Result<()> {
        let mut net = self.net.lock();
        let (_, address, port) = net.destination(self.host, to)?;
        if let Some(inbox) = net.inbox(self.host, self.socket) {
            inbox.peer = Some(SocketAddr::new(address, port));
        }
        Ok(())
    }

    /// Sends a datagram to the peer. Returns its length.
    ///
    /// # Errors
    /// Linux's `EDESTADDRREQ` if the socket is not connected, `ConnectionRefused` if the peer's machine has answered that
    /// nobody has the port, and those of [`UdpSocket::send_to`].
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.pend_if_dead().await;
        self.send_now(&[io::IoSlice::new(bytes)], None)
    }

    /// Sends a datagram to an address, for example the one that another came from. Returns its length.
    ///
    /// # Errors
    /// Linux's `EMSGSIZE` if it has more than 65,507 bytes, and `NetworkUnreachable` if no host has the
    /// address; `ConnectionRefused` on a connected socket, as [`UdpSocket::send`].
    pub async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.pend_if_dead().await;
        self.send_now(&[io::IoSlice::new(bytes)], Some(to))
    }

    /// Sends the slices as one datagram, to the peer if there is no other address. Waits for nothing.
    pub(crate) fn send_now(&self, slices: &[io::IoSlice<'_>], to: Option<SocketAddr>) -> io::Result<usize> {
        let mut net = self.net.lock();
        let to = to.or_else(|| net.inbox(self.host, self.socket).and_then(|inbox| inbox.peer));
        let to = to.ok_or_else(|| io::Error::from_raw_os_error(EDESTADDRREQ))?;
        let length = slices.iter().map(|slice| slice.len()).sum();
        if length > LARGEST {
            return Err(io::Error::from_raw_os_error(EMSGSIZE));
        }
        let to = net.destination(self.host, to)?;
        net.inbox(self.host, self.socket).map_or(Ok(()), Inbox::take_error)?;
        let mut bytes = BytesMut::with_capacity(length);
        slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
        net.send_datagram((self.host, self.socket.0.0), to, bytes.freeze());
        Ok(length)
    }

    /// # Errors
    /// `WouldBlock` if the program has been killed.
    pub(super) fn if_alive(&self) -> io::Result<()> {
        if self.alive.is_set() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// Lets `waker` be woken by the next datagram or error.
    pub(super) fn wait(&self, waker: &Waker) {
        if let Some(inbox) = self.net.lock().inbox(self.host, self.socket) {
            inbox.wait(waker);
        }
    }

    /// Pends forever if the program is dead: an error would let it act for the rest of the step.
    async fn pend_if_dead(&self) {
        if !self.alive.is_set() {
            std::future::pending::<()>().await;
        }
    }

    /// The next datagram: how many of its bytes fit into the buffer. The others are lost.
    ///
    /// # Errors
    /// `ConnectionRefused` if the machine of the peer to which the socket is connected has answered that nobody has the
    /// port.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).await.map(|(length, _)| length)
    }

    /// The next datagram: how many of its bytes fit into the buffer, and where it came from. The others are lost.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_recv_from(cx, buffer)).await
    }

    /// The same as [`UdpSocket::recv_from`], but the datagram stays in the socket, whole.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_next(cx, buffer, Inbox::peek)).await
    }

    /// Polls for the next datagram.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.poll_next(cx, buffer, Inbox::take)
    }

    fn poll_next(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        next: impl Fn(&mut Inbox, &Waker) -> Option<(Bytes, SocketAddr)>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let Poll::Ready((bytes, from)) = self.poll_datagram(cx, next)? else { return Poll::Pending };
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Poll::Ready(Ok((length, from)))
    }

    fn poll_datagram(
        &self,
        cx: &mut Context<'_>,
        next: impl Fn(&mut Inbox, &Waker) -> Option<(Bytes, SocketAddr)>,
    ) -> Poll<io::Result<(Bytes, SocketAddr)>> {
        if !self.alive.is_set() {
            return Poll::Pending;
        }
        let mut net = self.net.lock();
        let Some(inbox) = net.inbox(self.host, self.socket) else { return Poll::Pending };
        inbox.take_error()?;
        next(inbox, cx.waker()).map_or(Poll::Pending, |next| Poll::Ready(Ok(next)))
    }

    /// The next datagram, which stays if the program only looks; `None` if it would have to wait.
    pub(crate) fn next_now(&self, peek: bool) -> Option<io::Result<(Bytes, SocketAddr)>> {
        let next = if peek { Inbox::peek } else { Inbox::take };
        match self.poll_datagram(&mut Context::from_waker(Waker::noop()), next) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    /// Lets `watcher` be woken by every datagram and every error.
    pub(crate) fn watch(&self, watcher: Waker) {
        if let Some(inbox) = self.net.lock().inbox(self.host, self.socket) {
            inbox.watcher = Some(watcher);
        }
    }

    /// Whether a datagram waits, and whether the next call fails. A program that was killed is never told.
    pub(crate) fn readiness(&self) -> (bool, bool) {
        let is_alive = self.alive.is_set();
        let mut net = self.net.lock();
        net.inbox(self.host, self.socket).filter(|_| is_alive).map_or((false, false), |inbox| inbox.readiness())
    }

    /// The bytes of the datagram that waits; 0 without one.
    pub(crate) fn available(&self) -> usize {
        self.net.lock().inbox(self.host, self.socket).map_or(0, |inbox| inbox.available())
    }

    /// Takes the error with which the next call would fail (`SO_ERROR`).
    pub(crate) fn take_error(&self) -> io::Result<()> {
        self.net.lock().inbox(self.host, self.socket).map_or(Ok(()), Inbox::take_error)
    }

    /// The address, if it is bound to one only, and the port.
    pub(crate) fn bound(&self) -> (Option<IpAddr>, u16) {
        let ((port, on), _) = self.socket;
        (on, port)
    }

    /// The address to which the socket is connected.
    ///
    /// # Errors
    /// `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let peer = self.net.lock().inbox(self.host, self.socket).and_then(|inbox| inbox.peer);
        peer.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The address of this socket. If it is bound to all of the host's, it is the one from which it sends to its peer, or
    /// else the host's own IPv4 address.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let ((port, on), _) = self.socket;
        let all = || match self.peer_addr() {
            Ok(peer) => source(self.host.index(), peer.ip()),
            Err(_) => address(self.host.index()),
        };
        Ok(SocketAddr::new(on.unwrap_or_else(all), port))
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        if self.alive.is_set() {
            self.net.lock().close_datagrams(self.host, self.socket);
        }
    }
}
