//! The task that runs the kernel of one machine: it waits until the kernel has something to do, and lets it do that.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::kernel::Net;
use super::shared::SharedNet;
use crate::sandbox;
use crate::trace::HostId;

/// Runs the kernel of one machine for one life of its program, or for the idle time between two lives.
pub(crate) async fn run_kernel(net: SharedNet, host: HostId) {
    let mut timer = pin!(sleep(Duration::ZERO));
    poll_fn(|context| {
        loop {
            let now = sandbox::now();
            let mut net = net.lock();
            // A thread that may go on now does so when the runtime has nothing left to do; a timer would be over at once.
            let wake_of_threads = sandbox::next_wake_of_threads(host.index()).filter(|due| *due > now);
            let next = net.process(host, now).into_iter().chain(wake_of_threads).min();
            let kernel = &mut net.kernels[host.index()];
            kernel.task = Some(context.waker().clone());
            kernel.wakes_at = next.unwrap_or(Duration::MAX);
            drop(net);
            let Some(due) = next else { return Poll::Pending };
            // The sleep is relative to now, because each life has its own clock.
            timer.as_mut().reset(Instant::now() + due.saturating_sub(now));
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

impl Net {
    /// Lets a segment whose due time is decided reach its kernel at that time.
    pub(super) fn deliver(&mut self, id: u32) {
        let (Some(packet), Some(arrival)) = (self.packets.get(id), self.packets.arrival(id)) else { return };
        let host = self.flows[packet.flow as usize].host(packet.side.other());
        let (due, kernel) = (packet.due, &mut self.kernels[host.index()]);
        kernel.arrivals.push(arrival);
        if due < kernel.wakes_at {
            self.wake.extend(kernel.task.take());
        }
    }
}
