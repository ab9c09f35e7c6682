//! The state of one machine's kernel: power, ports, timers, and the segments on their way there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::task::Waker;
use std::time::Duration;

use super::allowance::Allowance;
use super::bound::SocketId;
use super::flow::FlowId;
use super::inbox::Inbox;
use super::listening::Listeners;
use super::packets::Arrival;
use super::ports::Ports;
use crate::trace::HostId;

/// Whether a machine has power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum MachineState {
    /// The kernel runs, whether or not a program does.
    #[default]
    On,
    /// The machine has no power.
    Off,
}

/// The kernel of one machine.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    state: MachineState,
    pub(super) listeners: Listeners,
    /// How often the machine has connected to each port of each peer.
    pub(super) connects: BTreeMap<(HostId, u16), u32>,
    pub(super) ports: Ports,
    /// The datagram sockets.
    pub(super) inboxes: BTreeMap<SocketId, Inbox>,
    /// How many datagrams of each peer the kernel may still answer with ICMP.
    pub(super) answers: BTreeMap<HostId, Allowance>,
    /// When the kernel looks at the ends that it keeps alive: the connection, and the side.
    pub(super) keep_alive: BTreeSet<(Duration, FlowId, usize)>,
    /// When the kernel sends each unanswered SYN again: the connection, and how often it has been sent.
    pub(super) requests: BTreeSet<(Duration, FlowId, usize)>,
    /// Whom the kernel wakes at which time, each with a number of its own.
    pub(super) alarms: BTreeMap<(Duration, u64), Waker>,
    pub(super) alarms_so_far: u64,
    /// Segments on their way to this machine, ordered by arrival.
    pub(super) arrivals: BinaryHeap<Arrival>,
    /// Wakes the task that runs this kernel. Whoever takes it has woken that task, or will.
    pub(super) task: Option<Waker>,
    /// When that task wakes by itself.
    pub(super) wakes_at: Duration,
}

impl Kernel {
    pub(super) fn has_power(&self) -> bool {
        self.state == MachineState::On
    }

    /// When this kernel next has something to do by itself: a segment arrives, a handshake expires, a request is repeated,
    /// or an end may be idle.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let arrival = self.arrivals.peek().map(|Reverse((due, ..))| *due);
        let idle = self.keep_alive.first().map(|(due, ..)| *due);
        let request = self.requests.first().map(|(due, ..)| *due);
        let alarm = self.alarms.first_key_value().map(|((due, _), _)| *due);
        arrival.into_iter().chain(self.listeners.next_due()).chain(idle).chain(request).chain(alarm).min()
    }

    pub(super) fn power_off(&mut self) {
        self.state = MachineState::Off;
        self.listeners.clear();
        self.ports.clear();
        self.keep_alive.clear();
        self.requests.clear();
        self.alarms.clear();
        self.inboxes.clear();
        self.answers.clear();
    }

    pub(super) fn power_on(&mut self) {
        self.state = MachineState::On;
    }
}
