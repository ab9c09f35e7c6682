//! Keep-alive: a kernel probes a peer from which it has heard nothing for a while, and fails the connection if the peer
//! answers nothing (`SO_KEEPALIVE`; RFC 9293, section 3.8.4).

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::flow::{EndState, FlowId, Side};
use super::kernel::Net;
use super::watch::{KeepAlive, Watch};
use crate::trace::{HostId, SegmentKind};

impl Net {
    /// Begins to keep an end alive, or stops it.
    pub(super) fn keep_alive(&mut self, flow: FlowId, side: Side, settings: Option<KeepAlive>, now: Duration) {
        let host = self.flows[flow as usize].host(side);
        let Some(end) = self.flows[flow as usize].end(side) else { return };
        end.keep_alive = settings.map(|settings| {
            let due = now + settings.idle;
            Watch { settings, heard_at: now, probes: 0, due }
        });
        let Some(due) = end.keep_alive.map(|watch| watch.due) else { return };
        let kernel = &mut self.kernels[host.index()];
        kernel.keep_alive.insert((due, flow, side.index()));
        let task = kernel.task.take();
        self.wake.extend(task);
    }

    /// Something that proves that the peer lives has reached this end's kernel.
    pub(super) fn heard(&mut self, flow: FlowId, side: Side, now: Duration) {
        if let Some(watch) = self.flows[flow as usize].end(side).and_then(|end| end.keep_alive.as_mut()) {
            watch.heard_at = now;
            watch.probes = 0;
        }
    }

    /// Looks at the ends of a machine that are due: probes them, or fails them.
    pub(super) fn probe_idle(&mut self, host: HostId, now: Duration) {
        while let Some(&entry @ (due, flow, index)) = self.kernels[host.index()].keep_alive.first()
            && due <= now
        {
            self.kernels[host.index()].keep_alive.remove(&entry);
            let side = if index == Side::Client.index() { Side::Client } else { Side::Server };
            if let Some(next) = self.probe_if_idle(flow, side, due) {
                self.kernels[host.index()].keep_alive.insert((next, flow, index));
            }
        }
    }

    /// Returns when the kernel looks again.
    fn probe_if_idle(&mut self, flow: FlowId, side: Side, due: Duration) -> Option<Duration> {
        let is_busy = self.packets.is_unacknowledged(flow, side);
        let end = self.flows[flow as usize].end(side)?;
        let user_timeout = end.user_timeout;
        let watch = end.keep_alive.as_mut().filter(|watch| watch.due == due && end.state == EndState::Open)?;
        let KeepAlive { idle, interval, retries } = watch.settings;
        // A segment may have arrived in the same millisecond, after the time that was due.
        let silent = due.saturating_sub(watch.heard_at);
        if is_busy || silent < idle {
            watch.due = if is_busy { due + idle } else { watch.heard_at + idle };
            return Some(watch.due);
        }
        // As on Linux, a user timeout replaces the number of probes.
        let is_over = match user_timeout {
            Some(limit) => silent >= limit && watch.probes > 0,
            None => watch.probes >= retries,
        };
        if is_over {
            end.fail(io::ErrorKind::TimedOut, due, &mut self.wake);
            self.send(flow, side, SegmentKind::Rst, Bytes::new(), 0);
            return None;
        }
        watch.probes += 1;
        watch.due = due + interval;
        let next = watch.due;
        self.send(flow, side, SegmentKind::Probe, Bytes::new(), 0);
        Some(next)
    }
}
