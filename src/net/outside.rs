//! Changes to connections that no arriving segment of their kernels causes: resets injected on the way, and connections
//! that a kernel gives up or forgets. The wire decides when they happen.

use std::io;
use std::time::Duration;

use super::flow::{EndState, FlowId, Side};
use super::kernel::Net;
use crate::sandbox;
use crate::trace::{HostId, SegmentKind};

impl Net {
    /// Resets one end of a connection, as a middlebox does: the segment reaches the end's kernel at `due`.
    pub(super) fn inject_reset(&mut self, flow: FlowId, victim: Side, sent_at: Duration, due: Duration) {
        let id = self.packets.inject(flow, victim.other(), SegmentKind::Rst, sent_at, None);
        if let Some(packet) = self.packets.get_mut(id) {
            packet.due = due;
        }
        self.deliver(id);
    }

    /// A kernel has sent a segment of this side in vain for too long: the connection fails.
    pub(super) fn give_up(&mut self, flow: FlowId, side: Side, now: Duration) {
        let state = &mut self.flows[flow as usize];
        state.forget(side, now);
        if let Some(end) = state.end(side) {
            end.fail(io::ErrorKind::TimedOut, now, &mut self.wake);
        }
    }

    /// Makes a kernel forget its open connections with a peer; returns how many it forgot.
    pub(super) fn forget(&mut self, host: HostId, peer: HostId) -> u64 {
        let (now, mut forgotten) = (sandbox::now(), 0);
        for (flow, side) in self.ends_of(host) {
            let flow = &mut self.flows[flow as usize];
            let is_with_peer = flow.host(side.other()) == peer;
            if let Some(end) = flow.end(side).filter(|end| is_with_peer && end.state == EndState::Open) {
                end.received.clear();
                end.fail(io::ErrorKind::ConnectionReset, now, &mut self.wake);
                flow.forget(side, now);
                forgotten += 1;
            }
        }
        forgotten
    }
}
