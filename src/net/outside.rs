//! Changes to connections that no segment of their own kernels causes: resets injected on the way, and connections that
//! a kernel forgets. The wire decides when they happen.

use std::time::Duration;

use super::flow::{EndState, FlowId, Side};
use super::kernel::Net;
use crate::trace::{HostId, SegmentKind};

impl Net {
    /// Resets one end of a connection, as a middlebox does: the segment reaches the end's kernel at `due`.
    pub(super) fn inject_reset(&mut self, flow: FlowId, victim: Side, sent_at: Duration, due: Duration) {
        let id = self.packets.inject(flow, victim.other(), SegmentKind::Rst, sent_at, None);
        if let Some(packet) = self.packets.get_mut(id) {
            packet.due = due;
        }
        self.arrive_without_datagram(id);
    }

    /// Makes a kernel forget its open connections with a peer; returns how many it forgot.
    pub(super) fn forget(&mut self, host: HostId, peer: HostId) -> u64 {
        let mut forgotten = 0;
        for (flow, side) in self.ends_of(host) {
            let flow = &mut self.flows[flow as usize];
            let is_with_peer = flow.host(side.other()) == peer;
            if let Some(end) = flow.end(side).filter(|end| is_with_peer && end.state == EndState::Open) {
                end.state = EndState::Reset;
                end.received.clear();
                end.wake_all(&mut self.wake);
                forgotten += 1;
            }
        }
        forgotten
    }
}
