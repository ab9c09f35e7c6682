//! Faults that act at once at a trigger point inside a step: they clear alive flags, and kernels close connections or
//! lose power. The world does the rest when the step is over.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::flow::{FlowId, Side};
use super::kernel::Net;
use crate::alive::AliveFlag;
use crate::history::SharedRecording;
use crate::sandbox;
use crate::trace::{Event, HostId, SegmentKind};

/// How a host goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Down {
    Kill,
    PowerOff,
}

/// The hosts that a triggered fault affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Victims {
    These(Vec<HostId>),
    /// The host of the trigger point: the sender of the message, or the host of the event.
    Here,
}

/// An effect on one host.
pub(crate) type ApplyToHost = Arc<dyn Fn(HostId) + Send + Sync>;

/// The action of a fault at its trigger point.
#[derive(Clone)]
pub(crate) struct TriggerAction {
    /// The description of the fault.
    pub(crate) text: String,
    pub(crate) down: Option<(Down, Victims)>,
    /// Another immediate effect on hosts.
    pub(crate) apply: Option<(ApplyToHost, Victims)>,
}

impl fmt::Debug for TriggerAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TriggerAction").field("text", &self.text).field("down", &self.down).finish_non_exhaustive()
    }
}

impl Victims {
    fn at(self, here: HostId) -> Vec<HostId> {
        match self {
            Victims::These(hosts) => hosts,
            Victims::Here => vec![here],
        }
    }
}

/// A fault whose trigger point was reached.
#[derive(Debug)]
pub(crate) struct TriggeredFault {
    pub(crate) fault: u32,
    pub(crate) at: Duration,
    pub(crate) here: HostId,
    /// Segments sent at the same time with a lower ticket left before the fault began.
    pub(crate) ticket: u32,
    /// The hosts that the fault took down.
    pub(crate) downed: Vec<HostId>,
}

/// The faults that wait for a trigger point, those that were triggered, and the alive flags of the programs that they
/// end.
#[derive(Debug)]
pub(crate) struct TriggeredFaults {
    /// The action of each fault, by the fault's index in the plan.
    planned: BTreeMap<u32, TriggerAction>,
    /// The faults triggered since the world last took them.
    triggered: Vec<TriggeredFault>,
    /// The alive flag of each host's program.
    alive: Vec<AliveFlag>,
    /// Whether any fault waits for a message.
    watches_messages: bool,
    recording: SharedRecording,
}

impl TriggeredFaults {
    pub(super) fn new(hosts: usize, recording: SharedRecording) -> TriggeredFaults {
        let alive = vec![AliveFlag::default(); hosts];
        TriggeredFaults { planned: BTreeMap::new(), triggered: Vec::new(), alive, watches_messages: false, recording }
    }

    /// Plans the action of a fault at its trigger point.
    pub(crate) fn plan(&mut self, fault: u32, action: TriggerAction) {
        self.planned.insert(fault, action);
    }

    /// Sets whether any fault waits for a message from now on.
    pub(crate) fn watch_messages(&mut self, watches: bool) {
        self.watches_messages = watches;
    }

    /// Whether any fault was triggered since they were taken.
    pub(super) fn has_triggered(&self) -> bool {
        !self.triggered.is_empty()
    }

    /// Takes the faults triggered since the last call.
    pub(crate) fn take_triggered(&mut self) -> Vec<TriggeredFault> {
        std::mem::take(&mut self.triggered)
    }

    /// Triggers a fault. The end of a host that it takes down can be the trigger point of another fault.
    pub(super) fn trigger(&mut self, net: &mut Net, fault: u32, here: HostId) {
        let mut due = vec![(fault, here)];
        while let Some((fault, here)) = due.pop() {
            let Some(action) = self.planned.get(&fault).cloned() else { continue };
            let (at, ticket) = (sandbox::now(), net.packets.next_ticket());
            self.recording
                .lock()
                .trace
                .push_with(at, None, Event::FaultBegan { fault }, |out| out.write_str(&action.text));
            let mut downed = Vec::new();
            if let Some((apply, victims)) = action.apply {
                victims.at(here).into_iter().for_each(|host| apply(host));
            }
            if let Some((down, victims)) = action.down {
                for host in victims.at(here) {
                    if self.alive[host.index()].is_set() {
                        due.extend(self.take_down(net, host, down).into_iter().map(|fault| (fault, host)));
                        downed.push(host);
                    }
                }
            }
            self.triggered.push(TriggeredFault { fault, at, here, ticket, downed });
        }
    }

    fn take_down(&mut self, net: &mut Net, host: HostId, down: Down) -> Vec<u32> {
        let event = match down {
            Down::Kill => Event::Killed,
            Down::PowerOff => Event::PoweredOff,
        };
        let due = {
            let mut recording = self.recording.lock();
            recording.trace.push(sandbox::now(), Some(host), event.clone());
            recording.trigger_points.event(host, &event)
        };
        self.mark_dead(host);
        match down {
            Down::Kill => net.kill(host),
            Down::PowerOff => net.power_off(host),
        }
        due
    }

    /// Hands a message of a program to its kernel, and counts it for the faults that wait for it. The message does not
    /// leave if its sender goes down at this trigger point.
    pub(super) fn send_data(&mut self, net: &mut Net, flow: FlowId, side: Side, bytes: Bytes) {
        let (from, to) = (net.flow(flow).host(side), net.flow(flow).host(side.other()));
        if self.watches_messages && net.has_power(from) {
            let due = self.recording.lock().trigger_points.message(from, to, &bytes);
            for fault in due {
                self.trigger(net, fault, from);
            }
            if !self.alive[from.index()].is_set() {
                return;
            }
        }
        net.send(flow, side, SegmentKind::Data, bytes, 0);
    }

    /// From now on the program of this host has no effect.
    pub(crate) fn mark_dead(&mut self, host: HostId) {
        self.alive[host.index()].clear();
        sandbox::set_dead(host.index(), true);
    }

    /// A new life of this host's program begins.
    pub(crate) fn mark_alive(&mut self, host: HostId, alive: AliveFlag) {
        self.alive[host.index()] = alive;
        sandbox::set_dead(host.index(), false);
    }
}
