//! The sockets that code under test holds: listeners and streams. They act only while their program is alive.

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
use super::names::{address, is_own};
use super::shared::SharedNet;
use super::watch::KeepAlive;
use crate::alive::AliveFlag;
use crate::sandbox;
use crate::trace::{HostId, SegmentKind};

/// The most bytes that one segment carries: as many as a kernel sends at once with segmentation offload.
const LARGEST_SEGMENT: usize = 64 * 1024;

fn killed_error() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the program has been killed")
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
    pub(super) net: SharedNet,
    pub(super) host: HostId,
    /// The address on which it listens; `None` for all addresses of the host.
    pub(super) on: Option<IpAddr>,
    pub(super) port: u16,
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
        let stream = TcpStream::new(self.net.clone(), self.alive.clone(), flow, Side::Server);
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
    pub(super) net: SharedNet,
    pub(super) alive: AliveFlag,
    pub(super) flow: FlowId,
    pub(super) side: Side,
}

impl TcpStream {
    pub(super) fn new(net: SharedNet, alive: AliveFlag, flow: FlowId, side: Side) -> TcpStream {
        TcpStream { net, alive, flow, side }
    }

    pub(super) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    pub(crate) fn poll_read_some(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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

    pub(crate) fn poll_write_slices(
        &self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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

    /// Sends FIN: this end writes no more.
    pub(crate) fn finish(&self) {
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
