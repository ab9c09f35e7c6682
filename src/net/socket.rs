//! The connections that code under test holds. They act only while their program is alive. Beside this file, `options` has
//! what can be set, `nonblocking` the calls that do not wait, and `halves` the two halves of a connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::flow::{EndState, FlowId, Side};
use super::shared::{NetGuard, SharedNet};
use crate::alive::AliveFlag;
use crate::trace::SegmentKind;

/// The most bytes that one segment carries: as many as a kernel sends at once with segmentation offload.
const LARGEST_SEGMENT: usize = 64 * 1024;

pub(super) fn killed_error() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the program has been killed")
}

fn reset_error() -> io::Error {
    error_of(io::ErrorKind::ConnectionReset)
}

fn shut_down_error() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "this end has been shut down")
}

/// The error for a connection that is gone for this reason.
pub(super) fn error_of(kind: io::ErrorKind) -> io::Error {
    let text = match kind {
        io::ErrorKind::ConnectionRefused => "the connection was refused",
        io::ErrorKind::TimedOut => "the peer acknowledged nothing for too long",
        io::ErrorKind::BrokenPipe => "the peer no longer knows the connection",
        _ => "the connection was reset by its peer",
    };
    io::Error::new(kind, text)
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

    pub(crate) fn poll_read_some(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.alive.is_set() {
            // An error would let the dead program act for the rest of the step.
            return Poll::Pending;
        }
        let mut net = self.net.lock();
        let read = self.read_now(&mut net, buf);
        if read.is_pending()
            && let Some(end) = net.flow(self.flow).end(self.side)
        {
            end.reader = Some(cx.waker().clone());
        }
        read
    }

    /// Reads what is there.
    pub(super) fn read_now(&self, net: &mut NetGuard<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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
        Poll::Pending
    }

    /// Reserves room for up to `requested` bytes; returns how many of them may be sent now.
    fn poll_room(&self, cx: &mut Context<'_>, requested: usize) -> Poll<io::Result<usize>> {
        if !self.alive.is_set() {
            // An error would let the dead program act for the rest of the step.
            return Poll::Pending;
        }
        let mut net = self.net.lock();
        let room = self.reserve_now(&mut net, requested);
        if room.is_pending()
            && let Some(end) = net.flow(self.flow).end(self.side)
        {
            end.writer = Some(cx.waker().clone());
        }
        room
    }

    /// Reserves what room there is.
    pub(super) fn reserve_now(&self, net: &mut NetGuard<'_>, requested: usize) -> Poll<io::Result<usize>> {
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
            return Poll::Pending;
        }
        end.credit -= length;
        Poll::Ready(Ok(length))
    }

    pub(super) fn send_data(&self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.net.lock().send_data(self.flow, self.side, bytes);
        }
    }

    pub(super) fn poll_write_some(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
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
        self.send_slices(slices, length);
        Poll::Ready(Ok(length))
    }

    /// Sends the first `length` bytes of the slices, for which room is reserved.
    pub(super) fn send_slices(&self, slices: &[io::IoSlice<'_>], length: usize) {
        let mut bytes = BytesMut::with_capacity(length);
        for slice in slices {
            let left = length - bytes.len();
            bytes.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        self.send_data(bytes.freeze());
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

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_some(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_slices(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}
