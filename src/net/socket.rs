//! The sockets that code under test holds: a connector, listeners and streams. They act only while their program is
//! alive.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::flow::{EndState, FlowId, Side};
use super::names::{Resolution, address, is_own};
use super::shared::SharedNet;
use super::watch::KeepAlive;
use crate::alive::AliveFlag;
use crate::sandbox;
use crate::trace::{HostId, SegmentKind};

/// The most bytes that one segment carries: as many as a kernel sends at once with segmentation offload.
const LARGEST_SEGMENT: usize = 64 * 1024;

/// Seconds from each transmission of a SYN to the next, and from the last one to giving up: Linux with its defaults
/// (`tcp_syn_linear_timeouts` = 4, `tcp_syn_retries` = 6) gives up after 131 s.
const SYN_GAPS: [u64; 11] = [1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64];

/// An address that no host has, which faulty lookups return.
const NOBODY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 255, 254));

/// A host that a lookup found.
#[derive(Clone, Copy, Debug)]
struct Found {
    host: HostId,
    address: IpAddr,
    /// What the lookup returned.
    by: Resolution,
}

/// Opens connections from one host.
#[derive(Clone, Debug)]
pub struct Connector {
    net: SharedNet,
    host: HostId,
    alive: AliveFlag,
}

impl Connector {
    pub(crate) fn new(net: SharedNet, host: HostId, alive: AliveFlag) -> Connector {
        Connector { net, host, alive }
    }

    /// Connects to a port of the host with this name, IPv4 or IPv6 address. `localhost`, 127.0.0.1, `::1`, 0.0.0.0, and the
    /// host's own name and addresses stand for this host itself, which no fault of a link comes between.
    ///
    /// # Errors
    /// `NotFound` for a name that belongs to no host of the scenario, `ConnectionRefused` if no program listens on the
    /// port, `TimedOut` after 131 s without an answer, `AddrNotAvailable` if the connecting host has no free port left.
    /// If a fault hides the name, the error is the one that tokio returns for an unknown name; its kind has no name in
    /// stable Rust.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        self.pend_if_dead().await;
        let mut result = Err(unknown_name_error());
        for found in self.look_up(host).await? {
            // As with tokio, the first address that answers is taken, and the last one's error returned.
            result = self.connect_once(found, host, port).await;
            if result.is_ok() {
                break;
            }
        }
        result
    }

    async fn connect_once(&self, found: Found, host: &str, port: u16) -> io::Result<TcpStream> {
        let stream = {
            let mut net = self.net.lock();
            // A connect that finds no name counts too, so the ordinals of later connects do not depend on name faults.
            let flow = net.open(self.host, found.host, found.address, port)?;
            // From here on, dropping this future drops the stream, which abandons the connection and frees its port.
            TcpStream { net: self.net.clone(), alive: self.alive.clone(), flow, side: Side::Client }
        };
        if found.by == Resolution::Nothing {
            return Err(unknown_name_error());
        }
        for gap in SYN_GAPS {
            self.pend_if_dead().await;
            // A SYN to an unused address reaches no host, so none is sent; the client waits for an answer all the same.
            if found.by == Resolution::Host {
                self.net.lock().send(stream.flow, Side::Client, SegmentKind::Syn, Bytes::new(), 0);
            }
            let answered = tokio::time::timeout(Duration::from_secs(gap), poll_fn(|cx| stream.poll_connected(cx)));
            if let Ok(answer) = answered.await {
                return answer.map(|()| stream);
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer from {host}:{port}")))
    }

    /// Looks a name up, as a connect does first: the addresses of its hosts, in order. A program that keeps them does not
    /// notice when the name moves.
    ///
    /// # Errors
    /// Those of [`Connector::connect`] for names. A faulty lookup gives an address that no host has.
    pub async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.pend_if_dead().await;
        let found = self.look_up(host).await?;
        let addresses: Vec<IpAddr> = found
            .iter()
            .filter(|found| found.by != Resolution::Nothing)
            .map(|found| if found.by == Resolution::Host { found.address } else { NOBODY })
            .collect();
        if addresses.is_empty() { Err(unknown_name_error()) } else { Ok(addresses) }
    }

    /// Pends forever if the program is dead: an error would let it act for the rest of the step.
    async fn pend_if_dead(&self) {
        if !self.alive.is_set() {
            std::future::pending::<()>().await;
        }
    }

    /// The hosts with this name or address, and what a lookup of the name returns for each.
    async fn look_up(&self, host: &str) -> io::Result<Vec<Found>> {
        let (hosts, delay) = {
            let mut net = self.net.lock();
            let hosts = net.names.hosts(self.host, host);
            if hosts.is_empty() && host.parse() == Ok(NOBODY) {
                return Ok(vec![Found { host: self.host, address: NOBODY, by: Resolution::Nobody }]);
            }
            if hosts.is_empty() && net.names.aliases.contains_key(host) {
                return Err(unknown_name_error());
            }
            if hosts.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("no host is named `{host}`; add it to the scenario"),
                ));
            }
            if net.names.faults.is_empty() || host.parse::<IpAddr>().is_ok() {
                let found = |(host, address)| Found { host, address, by: Resolution::Host };
                return Ok(hosts.into_iter().map(found).collect());
            }
            let late = |(to, _): &(HostId, IpAddr)| net.names.lookup_delay(self.host, *to, sandbox::now());
            let delay = hosts.iter().map(late).max();
            (hosts, delay.unwrap_or_default())
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.pend_if_dead().await;
        let mut net = self.net.lock();
        let mut found = |(host, address)| {
            let by =
                if host == self.host { Resolution::Host } else { net.names.look_up(self.host, host, sandbox::now()) };
            Found { host, address, by }
        };
        Ok(hosts.into_iter().map(&mut found).collect())
    }

    /// Connects to `host:port`.
    ///
    /// # Errors
    /// Those of [`Connector::connect`], and `InvalidInput` if the text does not have this form.
    pub async fn connect_to(&self, authority: &str) -> io::Result<TcpStream> {
        let parsed = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parsed {
            Some((host, port)) => self.connect(host, port).await,
            None => {
                let text = format!("`{authority}` is not of the form host:port, such as `server:80`");
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
        }
    }
}

fn killed_error() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the program has been killed")
}

/// The error of the standard library, and so of tokio, for `EAI_NONAME`. Its kind has no name in stable Rust.
fn unknown_name_error() -> io::Error {
    let kind = io::Error::from_raw_os_error(0).kind();
    io::Error::new(kind, "failed to lookup address information: Name or service not known")
}

fn reset_error() -> io::Error {
    error_of(io::ErrorKind::ConnectionReset)
}

fn shut_down_error() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "this end has been shut down")
}

/// The error for a connection that is gone for this reason.
fn error_of(kind: io::ErrorKind) -> io::Error {
    let text = match kind {
        io::ErrorKind::ConnectionRefused => "the connection was refused",
        io::ErrorKind::TimedOut => "the peer acknowledged nothing for too long",
        io::ErrorKind::BrokenPipe => "the peer no longer knows the connection",
        _ => "the connection was reset by its peer",
    };
    io::Error::new(kind, text)
}

/// Accepts connections on one port of a host. It starts to listen when it is bound or first polled.
#[derive(Debug)]
pub struct TcpListener {
    net: SharedNet,
    host: HostId,
    /// The address on which it listens; `None` for all addresses of the host.
    on: Option<IpAddr>,
    port: u16,
    alive: AliveFlag,
    bound: bool,
}

impl TcpListener {
    pub(crate) fn new(net: SharedNet, host: HostId, on: Option<IpAddr>, port: u16, alive: AliveFlag) -> TcpListener {
        let mut listener = TcpListener { net, host, on, port, alive, bound: false };
        if port == 0 {
            // The program asks for the port before it accepts. An error comes again when it does.
            let _ = listener.bind();
        }
        listener
    }

    /// Starts to listen at once.
    ///
    /// # Errors
    /// `AddrInUse` if the host already listens on this port, `AddrNotAvailable` if the address is not one of the host's,
    /// and `BrokenPipe` if the program has been killed.
    pub fn bind(&mut self) -> io::Result<()> {
        if !self.alive.is_set() {
            return Err(killed_error());
        }
        if !self.bound {
            if !self.on.is_none_or(|on| is_own(self.host.index(), on)) {
                return Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
            }
            self.port = self.net.lock().listen(self.host, self.on, self.port)?;
            self.bound = true;
        }
        Ok(())
    }

    /// The next connection, and the address of its client.
    ///
    /// # Errors
    /// Those of [`TcpListener::bind`].
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next connection.
    ///
    /// # Errors
    /// Those of [`TcpListener::bind`].
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        if !self.alive.is_set() {
            return Poll::Pending;
        }
        self.bind()?;
        let mut net = self.net.lock();
        let Some(flow) = net.accept(self.host, (self.port, self.on), cx.waker()) else { return Poll::Pending };
        let peer = net.local_address(flow, Side::Client);
        let stream = TcpStream { net: self.net.clone(), alive: self.alive.clone(), flow, side: Side::Server };
        Poll::Ready(Ok((stream, peer)))
    }

    /// The address on which this listener listens: the host's own IPv4 address if it listens on all. A listener on port 0
    /// tells the port that it was given.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's listener.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(self.on.unwrap_or_else(|| address(self.host.index())), self.port))
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        if self.bound && self.alive.is_set() {
            self.net.lock().stop_listening(self.host, (self.port, self.on));
        }
    }
}

/// A connection. Dropping it sends FIN, or RST if bytes were left unread or [`TcpStream::set_zero_linger`] was called.
#[derive(Debug)]
pub struct TcpStream {
    net: SharedNet,
    alive: AliveFlag,
    flow: FlowId,
    side: Side,
}

impl TcpStream {
    fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.alive.is_set() {
            return Poll::Pending;
        }
        let mut net = self.net.lock();
        let Some(end) = net.flow(self.flow).end(self.side) else { return Poll::Ready(Err(killed_error())) };
        match end.state {
            EndState::Connecting => {
                end.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            EndState::Open => Poll::Ready(Ok(())),
            EndState::Gone => Poll::Ready(Err(end.error.take().map_or_else(shut_down_error, error_of))),
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's stream.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.net.lock().local_address(self.flow, self.side))
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's stream.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.net.lock().local_address(self.flow, self.side.other()))
    }

    /// Has no effect, and exists for compatibility with tokio's stream: nothing is ever held back to fill a segment.
    ///
    /// # Errors
    /// Never fails.
    pub fn set_nodelay(&self, _nodelay: bool) -> io::Result<()> {
        Ok(())
    }

    /// Makes closing the stream reset the connection at once, as `SO_LINGER` with a time of 0 does: what the peer has not
    /// received yet is discarded, and its reads and writes fail with `ConnectionReset`.
    ///
    /// # Errors
    /// Never fails; the signature matches tokio's stream.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        if let Some(end) = self.net.lock().flow(self.flow).end(self.side) {
            end.resets_on_close = true;
        }
        Ok(())
    }

    /// Probes the peer while nothing arrives, as `SO_KEEPALIVE` with its three numbers does, or stops doing so. If the
    /// peer answers no probe, reads and writes fail with `TimedOut`; if it no longer knows the connection, with
    /// `ConnectionReset`.
    ///
    /// # Errors
    /// Never fails.
    pub fn set_keep_alive(&self, keep_alive: Option<KeepAlive>) -> io::Result<()> {
        self.net.lock().keep_alive(self.flow, self.side, keep_alive, sandbox::now());
        Ok(())
    }

    /// Fails the connection with `TimedOut` once something that was sent has not been acknowledged for this long, as
    /// `TCP_USER_TIMEOUT` does; `None` waits until the kernel gives up, for about a quarter of an hour.
    ///
    /// # Errors
    /// Never fails.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        if let Some(end) = self.net.lock().flow(self.flow).end(self.side) {
            end.user_timeout = timeout;
        }
        Ok(())
    }

    /// Splits the stream into owned halves. The connection closes when both are dropped.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let stream = Arc::new(self);
        (OwnedReadHalf(stream.clone()), OwnedWriteHalf(stream))
    }

    fn poll_read_some(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.alive.is_set() {
            // An error would let the dead program act for the rest of the step.
            return Poll::Pending;
        }
        let mut net = self.net.lock();
        let most = net.readable(self.flow, self.side, buf.remaining());
        let Some(end) = net.flow(self.flow).end(self.side) else { return Poll::Ready(Err(reset_error())) };
        let mut taken = 0;
        while let Some(bytes) = end.received.front_mut() {
            let length = bytes.len().min(most - taken);
            buf.put_slice(&bytes[..length]);
            bytes.advance(length);
            taken += length;
            if !bytes.is_empty() {
                break;
            }
            end.received.pop_front();
        }
        if taken > 0 || buf.remaining() == 0 {
            end.unannounced += taken;
            net.announce(self.flow, self.side);
            return Poll::Ready(Ok(()));
        }
        if end.peer_finished {
            return Poll::Ready(Ok(()));
        }
        if end.state == EndState::Gone {
            // As on Linux, the error is returned once; after it comes the end of the stream.
            return Poll::Ready(end.error.take().map_or(Ok(()), |error| Err(error_of(error))));
        }
        end.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Reserves room for up to `requested` bytes; returns how many of them may be sent now.
    fn poll_room(&self, cx: &mut Context<'_>, requested: usize) -> Poll<io::Result<usize>> {
        if !self.alive.is_set() {
            // An error would let the dead program act for the rest of the step.
            return Poll::Pending;
        }
        let mut net = self.net.lock();
        let Some(end) = net.flow(self.flow).end(self.side) else { return Poll::Ready(Err(reset_error())) };
        if end.state == EndState::Gone {
            return Poll::Ready(Err(end.error.take().map_or_else(shut_down_error, error_of)));
        }
        if end.finished {
            return Poll::Ready(Err(shut_down_error()));
        }
        let credit = end.credit;
        let length = net.writable(self.flow, self.side, credit, requested.min(credit).min(LARGEST_SEGMENT));
        let Some(end) = net.flow(self.flow).end(self.side) else { return Poll::Ready(Err(reset_error())) };
        if length == 0 && requested > 0 {
            end.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        end.credit -= length;
        Poll::Ready(Ok(length))
    }

    fn send_data(&self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.net.lock().send_data(self.flow, self.side, bytes);
        }
    }

    fn poll_write_some(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let length = ready!(self.poll_room(cx, buf.len()))?;
        self.send_data(Bytes::copy_from_slice(&buf[..length]));
        Poll::Ready(Ok(length))
    }

    fn poll_write_slices(&self, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let requested = slices.iter().map(|slice| slice.len()).sum();
        let length = ready!(self.poll_room(cx, requested))?;
        let mut bytes = BytesMut::with_capacity(length);
        for slice in slices {
            let left = length - bytes.len();
            bytes.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        self.send_data(bytes.freeze());
        Poll::Ready(Ok(length))
    }

    fn finish(&self) {
        if !self.alive.is_set() {
            return;
        }
        let mut net = self.net.lock();
        let Some(end) = net.flow(self.flow).end(self.side) else { return };
        if end.state == EndState::Open && !end.finished {
            end.finished = true;
            net.send(self.flow, self.side, SegmentKind::Fin, Bytes::new(), 0);
        }
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        if self.alive.is_set() {
            self.net.lock().close(self.flow, self.side);
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_read_some(cx, buf)
    }
}

/// Implements writing for the whole stream and for its writing half.
macro_rules! write_through {
    ($type:ty, $self:ident => $stream:expr) => {
        impl AsyncWrite for $type {
            fn poll_write($self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                $stream.poll_write_some(cx, buf)
            }

            fn poll_write_vectored(
                $self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                $stream.poll_write_slices(cx, slices)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown($self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                $stream.finish();
                Poll::Ready(Ok(()))
            }
        }
    };
}

write_through!(TcpStream, self => self);
write_through!(OwnedWriteHalf, self => self.0);

/// The reading half of a [`TcpStream`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

impl AsyncRead for OwnedReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_some(cx, buf)
    }
}

/// The writing half of a [`TcpStream`]. Dropping it sends FIN.
#[derive(Debug)]
pub struct OwnedWriteHalf(Arc<TcpStream>);

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        self.0.finish();
    }
}
