//! Pairs of ends within a process: pipes, and Unix sockets that are connected to each other.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::io::ReadBuf;

use super::description::Watch;
use crate::sandbox::Errno;

/// The most bytes that wait in one direction; the default of Linux for a pipe.
const CAPACITY: usize = 64 * 1024;

/// One direction.
#[derive(Debug, Default)]
struct Channel {
    bytes: VecDeque<u8>,
    /// Whether nobody writes any more.
    is_finished: bool,
    /// Whether nobody reads any more.
    is_abandoned: bool,
}

type SharedChannel = Arc<Mutex<Channel>>;

fn lock(channel: &SharedChannel) -> MutexGuard<'_, Channel> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One end. A pipe has only one direction, so each of its ends lacks the other.
#[derive(Debug)]
pub(super) struct End {
    incoming: Option<SharedChannel>,
    outgoing: Option<SharedChannel>,
    peer: Weak<Watch>,
}

/// Two connected ends, each with what watches it.
pub(super) fn pair(is_pipe: bool) -> [(End, Arc<Watch>); 2] {
    let (first, second) = (Arc::new(Watch::default()), Arc::new(Watch::default()));
    let [reader, writer] = ends(is_pipe, &first, &second);
    [(reader, first), (writer, second)]
}

/// Two connected sockets, which these watch.
pub(super) fn between(first: &Arc<Watch>, second: &Arc<Watch>) -> [End; 2] {
    ends(false, first, second)
}

fn ends(is_pipe: bool, first: &Arc<Watch>, second: &Arc<Watch>) -> [End; 2] {
    let (there, back) = (SharedChannel::default(), (!is_pipe).then(SharedChannel::default));
    let reader = End { incoming: Some(there.clone()), outgoing: back.clone(), peer: Arc::downgrade(second) };
    let writer = End { incoming: back, outgoing: Some(there), peer: Arc::downgrade(first) };
    [reader, writer]
}

impl End {
    fn notify_peer(&self) {
        if let Some(peer) = self.peer.upgrade() {
            peer.notify();
        }
    }

    pub(super) fn level(&self) -> u32 {
        let mut level = 0;
        let mut is_hung_up = true;
        if let Some(incoming) = &self.incoming {
            let incoming = lock(incoming);
            if !incoming.bytes.is_empty() || (incoming.is_finished && self.outgoing.is_some()) {
                level |= libc::EPOLLIN;
            }
            if incoming.is_finished && self.outgoing.is_some() {
                level |= libc::EPOLLRDHUP;
            }
            is_hung_up = incoming.is_finished;
        }
        if let Some(outgoing) = &self.outgoing {
            let outgoing = lock(outgoing);
            if outgoing.bytes.len() < CAPACITY || outgoing.is_abandoned {
                level |= libc::EPOLLOUT;
            }
            if outgoing.is_abandoned && self.incoming.is_none() {
                level |= libc::EPOLLERR;
            }
            is_hung_up &= self.incoming.is_some() && outgoing.is_abandoned;
        }
        (level | if is_hung_up { libc::EPOLLHUP } else { 0 }) as u32
    }

    pub(super) fn available(&self) -> usize {
        self.incoming.as_ref().map_or(0, |incoming| lock(incoming).bytes.len())
    }

    pub(super) fn receive(&self, buffer: &mut ReadBuf<'_>, peek: bool) -> Result<(), Errno> {
        let incoming = self.incoming.as_ref().ok_or(libc::EBADF)?;
        {
            let mut incoming = lock(incoming);
            if incoming.bytes.is_empty() {
                return if incoming.is_finished || buffer.remaining() == 0 { Ok(()) } else { Err(libc::EAGAIN) };
            }
            let length = incoming.bytes.len().min(buffer.remaining());
            let (front, back) = incoming.bytes.as_slices();
            let in_front = length.min(front.len());
            buffer.put_slice(&front[..in_front]);
            buffer.put_slice(&back[..length - in_front]);
            if !peek {
                incoming.bytes.drain(..length);
            }
        }
        self.notify_peer();
        Ok(())
    }

    pub(super) fn send(&self, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let outgoing = self.outgoing.as_ref().ok_or(libc::EBADF)?;
        let mut sent = 0;
        {
            let mut outgoing = lock(outgoing);
            if outgoing.is_abandoned || outgoing.is_finished {
                return Err(libc::EPIPE);
            }
            for slice in slices {
                let length = slice.len().min(CAPACITY - outgoing.bytes.len());
                outgoing.bytes.extend(&slice[..length]);
                sent += length;
            }
        }
        if sent == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            return Err(libc::EAGAIN);
        }
        self.notify_peer();
        Ok(sent)
    }

    /// Stops writing, or reading, or both.
    pub(super) fn shut_down(&self, reads: bool, writes: bool) {
        if let Some(outgoing) = self.outgoing.as_ref().filter(|_| writes) {
            lock(outgoing).is_finished = true;
        }
        if let Some(incoming) = self.incoming.as_ref().filter(|_| reads) {
            let mut incoming = lock(incoming);
            (incoming.is_abandoned, incoming.is_finished) = (true, true);
        }
        self.notify_peer();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.shut_down(true, true);
    }
}
