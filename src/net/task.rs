//! The task that runs the kernel of one machine: it waits until the kernel has something to do, and lets it do that.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};
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
            // A thread that may go on now does so when the runtime has nothing left to do; a timer would be over at once.
            let wake_of_threads = sandbox::next_wake_of_threads(host.index()).filter(|due| *due > now);
            let next = net.lock().run_kernel_until(host, now, wake_of_threads, context.waker());
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
    /// Lets the kernel of a machine do what is due. Returns when it next has something to do; if that becomes sooner, it wakes
    /// `waker`.
    pub(crate) fn run_kernel(&mut self, host: HostId, now: Duration, waker: &Waker) -> Option<Duration> {
        self.run_kernel_until(host, now, None, waker)
    }

    /// The same, for one that has something to do at another time, too.
    fn run_kernel_until(
        &mut self,
        host: HostId,
        now: Duration,
        other: Option<Duration>,
        waker: &Waker,
    ) -> Option<Duration> {
        let next = self.process(host, now).into_iter().chain(other).min();
        let kernel = &mut self.kernels[host.index()];
        kernel.task = Some(waker.clone());
        kernel.wakes_at = next.unwrap_or(Duration::MAX);
        next
    }

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
