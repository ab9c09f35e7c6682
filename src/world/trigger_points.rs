//! Faults that begin at a trigger point inside a step: the watches for them, their effects inside the step, and what
//! the world does about them when the step is over.

use std::sync::Arc;

use super::host_faults::disk_trouble;
use super::injection::{GoingDown, Injection};
use super::life::Exit;
use super::state::{FaultStart, World};
use crate::fault::{self, Fault, Selector, Target, Trigger};
use crate::net::{ApplyToHost, Down, TriggerAction, TriggeredFault, Victims};
use crate::trace::HostId;
use crate::trigger_point::{EventWatch, MessageWatch, Watch, Watched};

impl World<'_> {
    /// Watches for the trigger points of the plan, and for those that are only counted.
    pub(super) fn watch_for_trigger_points(&mut self) {
        let faults = &self.spec.plan.faults;
        let mut watches = Vec::new();
        for (index, fault) in faults.iter().enumerate() {
            let Some(watched) = self.watched(&fault.trigger) else { continue };
            let nth = fault.trigger.nth().unwrap_or_default();
            watches.push(Watch { fault: index as u32, watched, nth, seen: 0 });
            let (down, apply) = (self.immediate_crash(fault, index), self.immediate_disk_trouble(fault, index));
            let action = TriggerAction { text: fault.to_string(), down, apply };
            self.net.lock().triggered_faults().plan(index as u32, action);
        }
        for trigger in self.spec.trigger_counts {
            let Some(watched) = self.watched(trigger) else { continue };
            // No run reaches this occurrence: the watch only counts.
            watches.push(Watch { fault: u32::MAX, watched, nth: u32::MAX, seen: 0 });
        }
        if watches.is_empty() {
            return;
        }
        let net = self.net.clone();
        let watches_messages = watches.iter().any(|watch| matches!(watch.watched, Watched::Message(_)));
        net.lock().triggered_faults().watch_messages(watches_messages);
        let mut recording = self.recording.lock();
        recording.trigger_points.on_trigger = Some(Arc::new(move |fault, here| net.lock().trigger(fault, here)));
        recording.trigger_points.watches = watches;
    }

    fn watched(&self, trigger: &Trigger) -> Option<Watched> {
        // Hosts are picked as for the first fault of a plan, whatever the fault's index: the run that counted the
        // trigger point picked the same ones.
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

    /// The hosts that the fault takes down inside the step, at its trigger point. A graceful stop begins only after the
    /// step.
    fn immediate_crash(&self, fault: &Fault, index: usize) -> Option<(Down, Victims)> {
        let Injection::Down(down) = Injection::of(&fault.kind) else { return None };
        let down = match down {
            GoingDown::Kill => Down::Kill,
            GoingDown::PowerOff => Down::PowerOff,
            GoingDown::Stop { .. } => return None,
        };
        Some((down, self.victims(fault, index)?))
    }

    /// The disk trouble that takes effect inside the step, at the trigger point: the program's next call meets it.
    fn immediate_disk_trouble(&self, fault: &Fault, index: usize) -> Option<(ApplyToHost, Victims)> {
        let (trouble, disks) = (disk_trouble(fault)?, self.disks.clone());
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

    /// Stops watching for trigger points, and keeps the counts of those that are only counted.
    pub(super) fn end_trigger_points(&mut self) {
        let trigger_points = std::mem::take(&mut self.recording.lock().trigger_points);
        let counts = trigger_points.watches.iter().filter(|watch| watch.fault == u32::MAX).map(|watch| watch.seen);
        self.trigger_counts.extend(counts);
        self.net.lock().triggered_faults().watch_messages(false);
    }

    /// Begins the faults that the last step or the world's own actions triggered.
    pub(super) fn begin_triggered_faults(&mut self) {
        loop {
            let mut triggered = self.net.lock().triggered_faults().take_triggered();
            if triggered.is_empty() {
                return;
            }
            // Hosts run through the whole step one after the other, so the faults are not in order of time.
            triggered.sort_by_key(|triggered| triggered.at);
            for triggered in triggered {
                // Segments that were sent before the fault began are not affected by it.
                self.wire.decide_before(&mut self.net.lock(), triggered.at, triggered.ticket, self.now);
                self.begin_triggered_fault(triggered);
            }
        }
    }

    fn begin_triggered_fault(&mut self, triggered: TriggeredFault) {
        let TriggeredFault { fault, at, here, downed, .. } = triggered;
        let index = fault as usize;
        for host in downed {
            self.wire.record_effects(index, 1);
            self.downed_by[host.index()].push(index);
            self.finish_crash(host, &self.spec.plan.faults[index]);
        }
        self.begin_fault(index, FaultStart { at, here: Some(here) });
        self.apply_changed_faults();
    }

    /// Completes a kill or power off of a host whose alive flag is cleared and whose kernel has handled it already.
    fn finish_crash(&mut self, host: HostId, fault: &Fault) {
        if let Injection::Down(GoingDown::PowerOff) = Injection::of(&fault.kind) {
            self.wire.forget_unsent(&mut self.net.lock(), host);
            self.disks[host.index()].power_off();
        } else {
            self.disks[host.index()].kill();
        }
        let exit = self.slot(host).exit.take();
        if let Some(Exit::Failed(error)) = exit
            && self.spec.hosts[host.index()].supervised.is_none()
        {
            // The program had failed by itself before the fault took it down.
            self.failures.push((host, error));
        }
        self.idle(host);
    }
}
