//! The kernels of machines whose process is paused. No task of such a machine runs, not even the one that runs its kernel,
//! so the world runs it, and no datagram crosses turmoil's links for it.

use std::time::Duration;

use super::kernel::Net;
use crate::trace::HostId;

impl Net {
    /// Sets whether the world runs the kernel of a machine.
    pub(crate) fn set_frozen(&mut self, host: HostId, is_frozen: bool) {
        self.kernels[host.index()].is_frozen = is_frozen;
        if is_frozen {
            let on_their_way = self.packets.tickets(|packet| {
                packet.due < Duration::MAX && self.flows[packet.flow as usize].host(packet.side.other()) == host
            });
            for ticket in on_their_way {
                self.kernels[host.index()].arrivals.extend(self.packets.arrival(ticket));
            }
        }
    }

    /// Whether the world runs the kernel of the machine that this segment goes to.
    pub(crate) fn goes_to_frozen(&self, ticket: u32) -> bool {
        self.packets.get(ticket).is_some_and(|packet| {
            let to = self.flows[packet.flow as usize].host(packet.side.other());
            self.kernels[to.index()].is_frozen
        })
    }

    /// When the kernel of a machine next has something to do.
    pub(crate) fn next_due(&self, host: HostId) -> Option<Duration> {
        self.kernels[host.index()].next_due()
    }

    /// Lets the kernel of a frozen machine do what is due.
    pub(crate) fn run_frozen(&mut self, host: HostId, now: Duration) {
        self.process(host, now);
        self.send_without_datagrams(host);
    }
}
