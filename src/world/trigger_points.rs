//! Faults that begin with a moment inside a step: what is watched for, and what the world does when a step with such a
//! moment is over.

use std::sync::Arc;

use super::host_faults::disk_trouble;
use super::life::Exit;
use super::state::{Begun, World};
use crate::fault::{self, Fault, FaultKind, Selector, Target, Trigger};
use crate::net::{ApplyToHost, Down, TriggerAction, TriggeredFault, Victims};
use crate::trace::HostId;
use crate::trigger_point::{EventWatch, MessageWatch, Watch, Watched};

impl World<'_> {
    /// Makes the run count what the triggers of the plan, and whoever only wants to know, wait for.
    pub(super) fn watch_for_trigger_points(&mut self) {
        let faults = &self.spec.plan.faults;
        let mut watches = Vec::new();
        for (index, fault) in faults.iter().enumerate() {
            let Some(what) = self.watched(&fault.trigger) else { continue };
            let nth = fault.trigger.nth().unwrap_or_default();
            watches.push(Watch { fault: index as u32, what, nth, seen: 0 });
            let (down, apply) = (self.down(fault, index), self.apply(fault, index));
            let action = TriggerAction { text: fault.to_string(), down, apply };
            self.net.lock().triggered_faults().plan(index as u32, action);
        }
        for trigger in self.spec.trigger_counts {
            let Some(what) = self.watched(trigger) else { continue };
            // It is never seen so often.
            watches.push(Watch { fault: u32::MAX, what, nth: u32::MAX, seen: 0 });
        }
        if watches.is_empty() {
            return;
        }
        let net = self.net.clone();
        let watches_messages = watches.iter().any(|watch| matches!(watch.what, Watched::Message(_)));
        net.lock().triggered_faults().watch_messages(watches_messages);
        let mut tape = self.tape.lock();
        tape.trigger_points.on_trigger = Some(Arc::new(move |fault, here| net.lock().trigger(fault, here)));
        tape.trigger_points.watches = watches;
    }

    fn watched(&self, trigger: &Trigger) -> Option<Watched> {
        // Whatever the fault's place in its plan: what is waited for is what the trigger_counts counted.
        let resolve = |hosts: &Selector, side| hosts.resolve(self.spec.topology, fault::pick(self.spec.seed, 0, side));
        match trigger {
            Trigger::At(_) => None,
            Trigger::Message(trigger_point) => {
                let (from, to) = (resolve(&trigger_point.from, 2), resolve(&trigger_point.to, 3));
                Some(Watched::Message(MessageWatch {
                    from,
                    to,
                    containing: trigger_point.containing.clone().into_bytes(),
                }))
            }
            Trigger::Event(trigger_point) => {
                let hosts = resolve(&trigger_point.host, 2);
                Some(Watched::Event(EventWatch { hosts, named: trigger_point.named.clone() }))
            }
        }
    }

    /// Whom the fault takes down at its very moment. A program is asked to stop when the step is over.
    fn down(&self, fault: &Fault, index: usize) -> Option<(Down, Victims)> {
        let down = match fault.kind {
            FaultKind::Kill => Down::Kill,
            FaultKind::PowerOff => Down::PowerOff,
            _ => return None,
        };
        Some((down, self.victims(fault, index)?))
    }

    /// What is wrong with disks from its very moment on: a program meets it with its next call.
    fn apply(&self, fault: &Fault, index: usize) -> Option<(ApplyToHost, Victims)> {
        let (trouble, disks) = (disk_trouble(&fault.kind)?, self.disks.clone());
        let apply = move |host: HostId| disks[host.index()].add_trouble(index as u32, &trouble);
        Some((Arc::new(apply), self.victims(fault, index)?))
    }

    fn victims(&self, fault: &Fault, index: usize) -> Option<Victims> {
        match &fault.target {
            Target::Hosts(Selector::Here) => Some(Victims::Here),
            Target::Hosts(hosts) => Some(Victims::These(self.resolve(hosts, index, 0))),
            Target::Links { .. } | Target::OneWay { .. } => None,
        }
    }

    /// How often what the trigger_counts asks for was seen, and no moment comes any more.
    pub(super) fn forget_trigger_points(&mut self) {
        let trigger_points = std::mem::take(&mut self.tape.lock().trigger_points);
        let counts = trigger_points.watches.iter().filter(|watch| watch.fault == u32::MAX).map(|watch| watch.seen);
        self.trigger_counts.extend(counts);
        self.net.lock().triggered_faults().watch_messages(false);
    }

    /// The faults whose moment came in the last step, or among what the world itself did.
    pub(super) fn take_triggered(&mut self) {
        loop {
            let mut triggered = self.net.lock().triggered_faults().take_triggered();
            if triggered.is_empty() {
                return;
            }
            // Hosts run one after the other, each through the whole step.
            triggered.sort_by_key(|triggered| triggered.at);
            for triggered in triggered {
                // What was sent before the fault began does not meet it.
                self.wire.decide_before(&mut self.net.lock(), triggered.at, triggered.ticket);
                self.finish_triggered(triggered);
            }
        }
    }

    fn finish_triggered(&mut self, triggered: TriggeredFault) {
        let TriggeredFault { fault, at, here, downed, .. } = triggered;
        let index = fault as usize;
        for host in downed {
            self.wire.record_effects(index, 1);
            self.downed_by[host.index()].push(index);
            self.finish_crash(host, &self.spec.plan.faults[index].kind);
        }
        self.begin(index, Begun { at, here: Some(here) });
    }

    /// The rest of what a kill or a power off does, for a host whose gate is closed and whose kernel knows.
    fn finish_crash(&mut self, host: HostId, kind: &FaultKind) {
        match kind {
            FaultKind::PowerOff => {
                self.wire.forget_unsent(&mut self.net.lock(), host, self.now);
                self.disks[host.index()].power_off();
            }
            _ => self.disks[host.index()].kill(),
        }
        let exit = self.slot(host).exit.take();
        if let Some(Exit::Failed(error)) = exit
            && self.spec.hosts[host.index()].supervised.is_none()
        {
            // It had failed by itself before that.
            self.failures.push((host, error));
        }
        self.net.lock().send_without_datagrams(host);
        self.idle(host);
    }
}
