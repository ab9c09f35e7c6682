//! What faults allow the sockets of one machine: short reads, short writes, a small window. It knows nothing of when they
//! begin and end.

use bytes::Bytes;

use super::flow::{FlowId, Side, WINDOW};
use super::kernel::Net;
use crate::trace::{HostId, SegmentKind};

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

    /// As kernels do, the peer is told of room only when there is much of it.
    fn worth_announcing(&self) -> usize {
        (self.window() / 2).max(1)
    }
}

impl Net {
    /// From now on these bounds hold for a machine, for open connections, too. Senders count what they may send against the
    /// whole window, of which a small one takes away a part, so that nothing has to be given back when it ends.
    pub(crate) fn limit_sockets(&mut self, host: HostId, limits: SocketLimits) {
        let before = std::mem::replace(&mut self.kernels[host.index()].limits, limits);
        if before.window() == limits.window() {
            return;
        }
        for (flow, side) in self.ends_of(host) {
            // Room that was too little to be told of may be all that there is.
            self.announce(flow, side);
            if let Some(end) = self.flows[flow as usize].end(side.other()) {
                let writer = end.writer.take();
                self.wake.extend(writer);
            }
        }
    }

    fn limits(&self, flow: FlowId, side: Side) -> &SocketLimits {
        &self.kernels[self.flows[flow as usize].host(side).index()].limits
    }

    fn effective(&mut self, limit: Limit) {
        *self.effects.entry(limit.fault).or_default() += 1;
    }

    /// How many bytes a read into a buffer with so much room may return.
    pub(super) fn readable(&mut self, flow: FlowId, side: Side, room: usize) -> usize {
        let limit = self.limits(flow, side).read;
        if room <= limit.bytes {
            return room;
        }
        let end = self.flows[flow as usize].end(side);
        if end.is_some_and(|end| end.received.iter().map(Bytes::len).sum::<usize>() > limit.bytes) {
            self.effective(limit);
        }
        limit.bytes
    }

    /// How many of `length` bytes a write may send, of those for which the peer's whole window has room.
    pub(super) fn writable(&mut self, flow: FlowId, side: Side, credit: usize, length: usize) -> usize {
        let window = self.limits(flow, side.other()).window;
        let room = credit.saturating_sub(WINDOW - window.bytes.min(WINDOW));
        if room < length {
            self.effective(window);
        }
        let (length, write) = (length.min(room), self.limits(flow, side).write);
        if write.bytes < length {
            self.effective(write);
        }
        length.min(write.bytes)
    }

    /// Tells the peer of the room that reading has made, if it is worth it.
    pub(super) fn announce(&mut self, flow: FlowId, side: Side) {
        let worth = self.limits(flow, side).worth_announcing();
        let Some(end) = self.flows[flow as usize].end(side).filter(|end| end.unannounced >= worth) else { return };
        let room = std::mem::take(&mut end.unannounced) as u32;
        self.send(flow, side, SegmentKind::Window, Bytes::new(), room);
    }
}
