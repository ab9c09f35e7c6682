//! What befalls connections without crossing a link: ends that are reset on the way, and connections that are forgotten. It
//! decides nothing; the wire does.

use std::time::Duration;

use super::flow::{EndState, FlowId, Side};
use super::kernel::Net;
use crate::trace::{HostId, SegmentKind};

impl Net {
    /// Somebody on the way resets an end of a connection: the segment reaches its kernel at `due`.
    pub(super) fn reset_from_outside(&mut self, flow: FlowId, victim: Side, sent_at: Duration, due: Duration) {
        let id = self.packets.make_outside(flow, victim.other(), SegmentKind::Rst, sent_at, None);
        if let Some(packet) = self.packets.get_mut(id) {
            packet.due = due;
        }
        self.arrive_without_datagram(id);
    }

    /// A kernel forgets its open connections with a peer; returns how many these were.
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
