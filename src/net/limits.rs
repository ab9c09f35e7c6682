//! The limits that faults set on the sockets of the machines: short reads, short writes, a small window.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::flow::{End, WINDOW};
use crate::trace::HostId;

/// At most this many bytes, and the fault of the plan that sets this limit; `Limit::NONE` if no fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    bytes: usize,
    fault: u32,
}

impl Limit {
    const NONE: Limit = Limit { bytes: usize::MAX, fault: u32::MAX };

    /// Applies the limit of a fault; of several limits, the lowest applies.
    pub(crate) fn lower(&mut self, bytes: u64, fault: usize) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes < self.bytes {
            *self = Limit { bytes, fault: fault as u32 };
        }
    }
}

/// The limits on the sockets of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketLimits {
    /// The most bytes that one read returns.
    pub(crate) read: Limit,
    /// The most bytes that one write accepts.
    pub(crate) write: Limit,
    /// The most bytes that may be in flight to this machine or unread there, on each connection.
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

/// The limits on the sockets of all machines, and their effects.
#[derive(Debug)]
pub(crate) struct Limits {
    machines: Vec<SocketLimits>,
    /// How often each fault was effective here.
    pub(super) effects: BTreeMap<u32, u64>,
}

impl Limits {
    pub(super) fn new(machines: usize) -> Limits {
        Limits { machines: vec![SocketLimits::default(); machines], effects: BTreeMap::new() }
    }

    /// Sets the limits of a machine from now on; returns whether its window changed.
    pub(super) fn set(&mut self, host: HostId, limits: SocketLimits) -> bool {
        let before = std::mem::replace(&mut self.machines[host.index()], limits);
        before.window() != limits.window()
    }

    /// How many bytes a read at this end, on this machine, may return into a buffer with `room` free bytes.
    pub(super) fn readable(&mut self, host: HostId, end: Option<&End>, room: usize) -> usize {
        let limit = self.machines[host.index()].read;
        if room <= limit.bytes {
            return room;
        }
        if end.is_some_and(|end| end.received.iter().map(Bytes::len).sum::<usize>() > limit.bytes) {
            self.record_effect(limit);
        }
        limit.bytes
    }

    /// How many of `length` bytes a write may send from one machine to another, given `credit` bytes of room in the
    /// whole window there. Senders count their credit against the whole window, and a small window only subtracts from
    /// it, so nothing has to be given back when the fault ends.
    pub(super) fn writable(&mut self, from: HostId, to: HostId, credit: usize, length: usize) -> usize {
        let there = self.machines[to.index()];
        let room = self.room(to, credit);
        if room < length {
            self.record_effect(there.window);
        }
        let (length, write) = (length.min(room), self.machines[from.index()].write);
        if write.bytes < length {
            self.record_effect(write);
        }
        length.min(write.bytes)
    }

    /// How many bytes may be sent to a machine, given `credit` bytes of room in its whole window.
    pub(super) fn room(&self, to: HostId, credit: usize) -> usize {
        credit.saturating_sub(WINDOW - self.machines[to.index()].window())
    }

    /// The least new room that is announced to the peer: kernels do not announce small amounts.
    pub(super) fn announce_threshold(&self, host: HostId) -> usize {
        (self.machines[host.index()].window() / 2).max(1)
    }

    fn record_effect(&mut self, limit: Limit) {
        *self.effects.entry(limit.fault).or_default() += 1;
    }
}
