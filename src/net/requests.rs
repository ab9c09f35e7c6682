//! Connection requests: when a machine's kernel sends a SYN again, and when it gives up.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;

use super::flow::{EndState, FlowId, Side};
use super::kernel::Net;
use crate::sandbox;
use crate::trace::{HostId, SegmentKind};

/// Seconds from each transmission of a SYN to the next, and from the last one to giving up: Linux with its defaults
/// (`tcp_syn_linear_timeouts` = 4, `tcp_syn_retries` = 6) gives up after 131 s.
const GAPS: [u64; 11] = [1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64];

/// An address that no host has: faulty lookups return it, and so do connects to addresses outside of the scenario.
pub(super) const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 255, 254));

impl Net {
    /// Sends the SYN of a connection that a program has opened, and sends it again until it is answered.
    pub(super) fn request(&mut self, flow: FlowId) {
        self.send_syn(flow, 0, sandbox::now());
    }

    fn send_syn(&mut self, flow: FlowId, attempt: usize, now: Duration) {
        let host = self.flows[flow as usize].key.from;
        // A SYN to an unused address reaches no host, so none is sent; the client waits for an answer all the same.
        if self.flows[flow as usize].address != NOBODY {
            self.send(flow, Side::Client, SegmentKind::Syn, Bytes::new(), 0);
        }
        let kernel = &mut self.kernels[host.index()];
        kernel.requests.insert((now + Duration::from_secs(GAPS[attempt]), flow, attempt + 1));
        self.wake.extend(kernel.task.take());
    }

    /// Sends the SYNs again that nothing has answered, or gives their connections up.
    pub(super) fn repeat_requests(&mut self, host: HostId, now: Duration) {
        while let Some(&next @ (due, flow, attempt)) = self.kernels[host.index()].requests.first()
            && due <= now
        {
            self.kernels[host.index()].requests.remove(&next);
            let Some(end) = self.flows[flow as usize].end(Side::Client) else { continue };
            if end.state != EndState::Connecting {
                continue;
            }
            if attempt < GAPS.len() {
                self.send_syn(flow, attempt, now);
            } else {
                end.fail(io::ErrorKind::TimedOut, now, &mut self.wake);
            }
        }
    }
}
