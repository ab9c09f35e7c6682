//! What happens at once when a fault's moment comes inside a step: alive close, and kernels say what they must. It knows
//! nothing of plans; the world does the rest when the step is over.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::kernel::Net;
use crate::alive::AliveFlag;
use crate::sandbox;
use crate::trace::{Event, HostId};

/// How a host goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Down {
    Kill,
    PowerOff,
}

/// Which hosts a fault takes down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Victims {
    These(Vec<HostId>),
    /// Where the moment came: who sent the message, or who had the event.
    Here,
}

/// Something that befalls a host.
pub(crate) type ApplyToHost = Arc<dyn Fn(HostId) + Send + Sync>;

/// What is to be done when a fault's moment comes.
#[derive(Clone)]
pub(crate) struct TriggerAction {
    /// The fault in words.
    pub(crate) text: String,
    pub(crate) down: Option<(Down, Victims)>,
    /// What else befalls hosts at once.
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

/// A fault whose moment has come.
#[derive(Debug)]
pub(crate) struct TriggeredFault {
    pub(crate) fault: u32,
    pub(crate) at: Duration,
    pub(crate) here: HostId,
    /// Segments that were sent at the same time with a lower ticket left before it.
    pub(crate) ticket: u32,
    /// The hosts that it took down.
    pub(crate) downed: Vec<HostId>,
}

impl Net {
    /// The moment of a fault has come. A host that goes down by it can be the moment of another fault.
    pub(crate) fn trigger(&mut self, fault: u32, here: HostId) {
        let mut due = vec![(fault, here)];
        while let Some((fault, here)) = due.pop() {
            let Some(action) = self.trigger_actions.get(&fault).cloned() else { continue };
            let (at, ticket) = (sandbox::now(), self.packets.next_ticket());
            self.tape.lock().trace.push_with(at, None, Event::FaultBegan { fault }, |out| out.write_str(&action.text));
            let mut downed = Vec::new();
            if let Some((apply, victims)) = action.apply {
                victims.at(here).into_iter().for_each(|host| apply(host));
            }
            if let Some((down, victims)) = action.down {
                for host in victims.at(here) {
                    if self.alive[host.index()].is_set() {
                        due.extend(self.take_down(host, down).into_iter().map(|fault| (fault, host)));
                        downed.push(host);
                    }
                }
            }
            self.triggered.push(TriggeredFault { fault, at, here, ticket, downed });
        }
    }

    fn take_down(&mut self, host: HostId, down: Down) -> Vec<u32> {
        let event = match down {
            Down::Kill => Event::Killed,
            Down::PowerOff => Event::PoweredOff,
        };
        let due = {
            let mut tape = self.tape.lock();
            tape.trace.push(sandbox::now(), Some(host), event.clone());
            tape.trigger_points.event(host, &event)
        };
        self.mark_dead(host);
        match down {
            Down::Kill => self.kill(host),
            Down::PowerOff => self.power_off(host),
        }
        due
    }

    /// What the kernel of a host that went down in a step has not sent, as the host had been through the step before, goes
    /// without datagrams: with those of the next step it would come late.
    pub(crate) fn send_without_datagrams(&mut self, host: HostId) {
        let undecided = &self.undecided;
        let kernel = &mut self.kernels[host.index()];
        let (late, others) = std::mem::take(&mut kernel.outbox).into_iter().partition(|id| undecided.contains(id));
        kernel.outbox = others;
        let late: Vec<u32> = late;
        for id in late {
            if let Some(packet) = self.packets.get_mut(id) {
                packet.follows = Some(id);
            }
        }
    }

    /// From now on the program of this host has no effect.
    pub(crate) fn mark_dead(&mut self, host: HostId) {
        self.alive[host.index()].clear();
        sandbox::set_dead(host.index(), true);
    }

    /// A life of this host's program begins.
    pub(crate) fn mark_alive(&mut self, host: HostId, alive: AliveFlag) {
        self.alive[host.index()] = alive;
        sandbox::set_dead(host.index(), false);
    }
}
