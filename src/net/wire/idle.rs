//! Closing idle connections: which of the connections from one machine to another have been idle for long enough.

use std::time::Duration;

use crate::net::flow::{FlowId, Side};
use crate::net::kernel::Net;
use crate::trace::HostId;

/// A fault that closes idle connections, with what it has seen of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IdleWatch {
    idle_for: Duration,
    /// The first connection of the world that it has not seen.
    known: FlowId,
    /// The connections that may become idle, and when each was last seen busy.
    live: Vec<(FlowId, Duration)>,
    has_looked: bool,
}

impl IdleWatch {
    pub(crate) fn new(idle_for: Duration) -> IdleWatch {
        IdleWatch { idle_for, known: 0, live: Vec::new(), has_looked: false }
    }

    /// The connections from one machine to another that are to be closed now: at the first call all idle ones, later
    /// those that have been idle for long enough.
    pub(super) fn find_idle(&mut self, net: &Net, from: HostId, to: HostId, now: Duration) -> Vec<FlowId> {
        self.live.extend(net.flows.between(from, to, self.known).map(|id| (id, now)));
        self.known = net.flows.next();
        self.live.retain(|(id, _)| {
            let flow = &net.flows[*id as usize];
            !flow.is_severed && flow.ends[Side::Client.index()].is_some()
        });
        if self.live.is_empty() {
            self.has_looked = true;
            return Vec::new();
        }
        let busy = net.packets.busy();
        let needed = if self.has_looked { self.idle_for } else { Duration::ZERO };
        self.has_looked = true;
        let mut idle = Vec::new();
        for (id, busy_at) in &mut self.live {
            let flow = &net.flows[*id as usize];
            if busy.contains(id) || !flow.is_quiet() {
                *busy_at = now;
            } else {
                // A segment that arrived since the last call made the connection busy until its arrival.
                *busy_at = flow.last_due.into_iter().filter(|due| *due <= now).fold(*busy_at, Duration::max);
                if *busy_at + needed <= now {
                    idle.push(*id);
                }
            }
        }
        idle
    }

    /// When one of the connections may next be found idle. One that is not known yet, or is busy until later, tells so by what
    /// arrives.
    pub(super) fn next_look(&self) -> Option<Duration> {
        self.live.iter().map(|(_, busy_at)| *busy_at + self.idle_for).min()
    }
}
