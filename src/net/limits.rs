//! What faults allow the sockets of the machines: short reads, short writes, a small window. It knows nothing of when they
//! begin and end.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::flow::{End, WINDOW};
use crate::trace::HostId;

/// At most so many bytes, and which fault of the plan says so; none says so if there is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    bytes: usize,
    fault: u32,
}

impl Limit {
    const NONE: Limit = Limit { bytes: usize::MAX, fault: u32::MAX };

    /// A fault allows at most so many bytes; of several, the least counts.
    pub(crate) fn lower(&mut self, bytes: u64, fault: usize) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes < self.bytes {
            *self = Limit { bytes, fault: fault as u32 };
        }
    }
}

/// The bounds on the sockets of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketLimits {
    /// What one read returns at most.
    pub(crate) read: Limit,
    /// What one write accepts at most.
    pub(crate) write: Limit,
    /// What may be on the way to this machine, or unread there, on each connection.
    pub(crate) window: Limit,
}

impl Default for SocketLimits {
    fn default() -> SocketLimits {
        SocketLimits { read: Limit::NONE, write: Limit::NONE, window: Limit::NONE }
    }
}

impl SocketLimits {
    fn window(&self) -> usize {
        self.window.bytes.min(WINDOW)
    }
}

/// The bounds on the sockets of all machines, and what became of them.
#[derive(Debug)]
pub(crate) struct Limits {
    machines: Vec<SocketLimits>,
    /// How often each fault did something here.
    pub(super) effects: BTreeMap<u32, u64>,
}

impl Limits {
    pub(super) fn new(machines: usize) -> Limits {
        Limits { machines: vec![SocketLimits::default(); machines], effects: BTreeMap::new() }
    }

    /// From now on these bounds hold for a machine; returns whether its window is another one than before.
    pub(super) fn set(&mut self, host: HostId, limits: SocketLimits) -> bool {
        let before = std::mem::replace(&mut self.machines[host.index()], limits);
        before.window() != limits.window()
    }

    /// How many bytes a read at this end, on this machine, may return into a buffer with so much room.
    pub(super) fn readable(&mut self, host: HostId, end: Option<&End>, room: usize) -> usize {
        let limit = self.machines[host.index()].read;
        if room <= limit.bytes {
            return room;
        }
        if end.is_some_and(|end| end.received.iter().map(Bytes::len).sum::<usize>() > limit.bytes) {
            self.effective(limit);
        }
        limit.bytes
    }

    /// How many of `length` bytes a write may send from one machine to another, of those for which the whole window there
    /// has room. Senders count what they may send against the whole window, of which a small one takes away a part, so that
    /// nothing has to be given back when it ends.
    pub(super) fn writable(&mut self, from: HostId, to: HostId, credit: usize, length: usize) -> usize {
        let there = self.machines[to.index()];
        let room = credit.saturating_sub(WINDOW - there.window());
        if room < length {
            self.effective(there.window);
        }
        let (length, write) = (length.min(room), self.machines[from.index()].write);
        if write.bytes < length {
            self.effective(write);
        }
        length.min(write.bytes)
    }

    /// As kernels do, the peer is told of room only when there is much of it.
    pub(super) fn worth_announcing(&self, host: HostId) -> usize {
        (self.machines[host.index()].window() / 2).max(1)
    }

    fn effective(&mut self, limit: Limit) {
        *self.effects.entry(limit.fault).or_default() += 1;
    }
}
