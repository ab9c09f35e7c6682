//! The datagrams that wait in a socket until its program reads them, and what the socket knows of its peer.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::Waker;

use bytes::Bytes;

use super::bound::Sharing;

/// The bytes that may wait in a socket until the program reads them; Linux's `net.core.rmem_default`.
const RECEIVE_BUFFER: usize = 212_992;

/// What waits in a socket.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) sharing: Sharing,
    /// The only address from which datagrams arrive, once the socket is connected.
    pub(super) peer: Option<SocketAddr>,
    queue: VecDeque<(Bytes, SocketAddr)>,
    bytes: usize,
    /// Whether the peer's machine has answered that nobody has the port, and no call has returned that yet.
    is_refused: bool,
    reader: Option<Waker>,
    /// Those who wait for any change, beside the reader.
    waiting: Vec<Waker>,
    /// Woken by every datagram and every error, as long as the socket exists.
    pub(super) watcher: Option<Waker>,
}

impl Inbox {
    /// The inbox of a socket that shares what it is bound to in this way.
    pub(super) fn new(sharing: Sharing) -> Inbox {
        Inbox { sharing, ..Inbox::default() }
    }

    /// Whether a datagram from this address is one for this socket.
    pub(super) fn is_meant(&self, from: SocketAddr) -> bool {
        self.peer.is_none_or(|peer| peer == from)
    }

    /// A datagram arrives, and is lost if there is no room.
    pub(super) fn receive(&mut self, bytes: Bytes, from: SocketAddr, wake: &mut Vec<Waker>) {
        if self.bytes + bytes.len() <= RECEIVE_BUFFER {
            self.bytes += bytes.len();
            self.queue.push_back((bytes, from));
            self.wake_all(wake);
        }
    }

    /// Nobody has the peer's port.
    pub(super) fn refuse(&mut self, wake: &mut Vec<Waker>) {
        self.is_refused = true;
        self.wake_all(wake);
    }

    fn wake_all(&mut self, wake: &mut Vec<Waker>) {
        wake.extend(self.reader.take());
        wake.append(&mut self.waiting);
        wake.extend(self.watcher.clone());
    }

    /// Lets `waker` be woken by the next change.
    pub(super) fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|other| other.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    /// Whether a datagram waits, and whether the next call fails.
    pub(super) fn readiness(&self) -> (bool, bool) {
        (!self.queue.is_empty(), self.is_refused)
    }

    /// The bytes of the datagram that waits; 0 without one.
    pub(super) fn available(&self) -> usize {
        self.queue.front().map_or(0, |(bytes, _)| bytes.len())
    }

    /// As on Linux, one call fails for all answers that have arrived: the next one, whether it sends or receives.
    ///
    /// # Errors
    /// `ConnectionRefused` if an answer has arrived since the last call.
    pub(super) fn take_error(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_refused) { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(()) }
    }

    /// The next datagram, which stays; `None` if there is none, in which case `waker` is woken when one arrives.
    pub(super) fn peek(&mut self, waker: &Waker) -> Option<(Bytes, SocketAddr)> {
        let next = self.queue.front().cloned();
        if next.is_none() {
            self.reader = Some(waker.clone());
        }
        next
    }

    /// The same, but it is taken out.
    pub(super) fn take(&mut self, waker: &Waker) -> Option<(Bytes, SocketAddr)> {
        let next = self.peek(waker)?;
        self.queue.pop_front();
        self.bytes -= next.0.len();
        Some(next)
    }
}
