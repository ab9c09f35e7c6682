//! Calls that return at once, and waiting until one would succeed, named as tokio names them.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::datagram::UdpSocket;
use super::readiness::Readiness;
use super::socket::TcpStream;

/// The result of a call that does not wait.
fn or_would_block<T>(result: Poll<io::Result<T>>) -> io::Result<T> {
    match result {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl TcpStream {
    /// Waits until the stream is ready in this way.
    fn poll_until(&self, cx: &mut Context<'_>, is_ready: impl Fn(Readiness) -> bool) -> Poll<io::Result<()>> {
        if is_ready(self.readiness()) {
            return Poll::Ready(Ok(()));
        }
        if let Some(end) = self.net.lock().flow(self.flow).end(self.side)
            && !end.waiting.iter().any(|waker| waker.will_wake(cx.waker()))
        {
            end.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until a read would return something: bytes, the end of the stream, or an error.
    ///
    /// # Errors
    /// Never fails; the signature matches tokio's stream.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_read_ready(cx)).await
    }

    /// Waits until a write would take bytes, or fail.
    ///
    /// # Errors
    /// Never fails; the signature matches tokio's stream.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_ready(cx)).await
    }

    /// Polls for what [`TcpStream::readable`] waits for.
    ///
    /// # Errors
    /// Never fails.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until(cx, |ready| ready.readable)
    }

    /// Polls for what [`TcpStream::writable`] waits for.
    ///
    /// # Errors
    /// Never fails.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until(cx, |ready| ready.writable)
    }

    /// Reads what is there; 0 bytes at the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if a read would have to wait; else those of a read.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        let read = match self.alive.is_set() {
            true => self.read_now(&mut self.net.lock(), &mut buffer),
            false => Poll::Pending,
        };
        or_would_block(read).map(|()| buffer.filled().len())
    }

    /// Writes as many bytes as there is room for.
    ///
    /// # Errors
    /// `WouldBlock` if a write would have to wait; else those of a write.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[io::IoSlice::new(bytes)])
    }

    /// The same for several slices.
    ///
    /// # Errors
    /// As [`TcpStream::try_write`].
    pub fn try_write_vectored(&self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let requested = slices.iter().map(|slice| slice.len()).sum();
        let room = match self.alive.is_set() {
            true => self.reserve_now(&mut self.net.lock(), requested),
            false => Poll::Pending,
        };
        let length = or_would_block(room)?;
        self.send_slices(slices, length);
        Ok(length)
    }

    /// Waits for bytes and copies them, so that they can still be read; 0 bytes at the end of the stream.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        poll_fn(|cx| self.poll_peek(cx, &mut buffer)).await
    }

    /// Polls for what [`TcpStream::peek`] waits for.
    ///
    /// # Errors
    /// Those of a read.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let Poll::Ready(()) = self.poll_read_ready(cx)? else { return Poll::Pending };
        let before = buffer.filled().len();
        self.peek_into(buffer);
        if buffer.filled().len() == before && buffer.remaining() > 0 {
            // Nothing waits to be read, so a read takes nothing, and tells why.
            let mut nothing = [0];
            return Poll::Ready(self.try_read(&mut nothing));
        }
        Poll::Ready(Ok(buffer.filled().len() - before))
    }
}

impl UdpSocket {
    /// The next datagram, if one waits; see [`UdpSocket::recv_from`].
    ///
    /// # Errors
    /// `WouldBlock` if there is none; else those of [`UdpSocket::recv`].
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let next = self.next_now(false).unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()));
        next.map(|(bytes, from)| {
            let length = bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&bytes[..length]);
            (length, from)
        })
    }

    /// The next datagram, if one waits; see [`UdpSocket::recv`].
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv_from`].
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_recv_from(buffer).map(|(length, _)| length)
    }

    /// Sends a datagram to the peer; see [`UdpSocket::send`].
    ///
    /// # Errors
    /// `WouldBlock` if the program has been killed; else those of [`UdpSocket::send`].
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.if_alive()?;
        self.send_now(&[io::IoSlice::new(bytes)], None)
    }

    /// Sends a datagram to an address; see [`UdpSocket::send_to`].
    ///
    /// # Errors
    /// `WouldBlock` if the program has been killed; else those of [`UdpSocket::send_to`].
    pub fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.if_alive()?;
        self.send_now(&[io::IoSlice::new(bytes)], Some(to))
    }

    /// Waits until a datagram, or an error, can be received.
    ///
    /// # Errors
    /// Never fails; the signature matches tokio's socket.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let (is_readable, fails) = self.readiness();
            if is_readable || fails {
                return Poll::Ready(Ok(()));
            }
            self.wait(cx.waker());
            Poll::Pending
        })
        .await
    }
}
