//! The datagrams that wait in a socket until its program reads them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::Waker;

use bytes::Bytes;

/// The bytes that may wait in a socket until the program reads them; Linux's `net.core.rmem_default`.
const RECEIVE_BUFFER: usize = 212_992;

/// What waits in a socket.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    queue: VecDeque<(Bytes, SocketAddr)>,
    bytes: usize,
    reader: Option<Waker>,
}

impl Inbox {
    /// A datagram arrives, and is lost if there is no room. Returns the waker of a waiting reader.
    pub(super) fn receive(&mut self, bytes: Bytes, from: SocketAddr) -> Option<Waker> {
        if self.bytes + bytes.len() > RECEIVE_BUFFER {
            return None;
        }
        self.bytes += bytes.len();
        self.queue.push_back((bytes, from));
        self.reader.take()
    }

    /// The next datagram, or `None`, in which case `waker` is woken when one arrives.
    pub(super) fn take(&mut self, waker: &Waker) -> Option<(Bytes, SocketAddr)> {
        let next = self.queue.pop_front();
        match &next {
            Some((bytes, _)) => self.bytes -= bytes.len(),
            None => self.reader = Some(waker.clone()),
        }
        next
    }
}
