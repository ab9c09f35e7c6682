//! Faults that begin with a moment inside a step: what is watched for, and what the world does when a step with such a
//! moment is over.

use std::sync::Arc;

use super::afflict::disk_trouble;
use super::life::Exit;
use super::{Begun, World};
use crate::fault::{self, Fault, FaultKind, Selector, Target, Trigger};
use crate::moment::{EventWatch, MessageWatch, Watch, Watched};
use crate::net::{Befall, Down, Strike, Struck, Victims};
use crate::trace::HostId;

impl World<'_> {
    /// Makes the run count what the triggers of the plan, and whoever only wants to know, wait for.
    pub(super) fn watch_for_moments(&mut self) {
        let faults = &self.spec.plan.faults;
        let mut watches = Vec::new();
        for (index, fault) in faults.iter().enumerate() {
            let Some(what) = self.watched(&fault.trigger) else { continue };
            let nth = fault.trigger.nth().unwrap_or_default();
            watches.push(Watch { fault: index as u32, what, nth, seen: 0 });
            let (down, befall) = (self.down(fault, index), self.befall(fault, index));
            let strike = Strike { text: fault.to_string(), down, befall };
            self.net.lock().strikes.insert(index as u32, strike);
        }
        for trigger in self.spec.census {
            let Some(what) = self.watched(trigger) else { continue };
            // It is never seen so often.
            watches.push(Watch { fault: u32::MAX, what, nth: u32::MAX, seen: 0 });
        }
        if watches.is_empty() {
            return;
        }
        let net = self.net.clone();
        net.lock().watches_messages = watches.iter().any(|watch| matches!(watch.what, Watched::Message(_)));
        let mut tape = self.tape.lock();
        tape.moments.strike = Some(Arc::new(move |fault, here| net.lock().strike(fault, here)));
        tape.moments.watches = watches;
    }

    fn watched(&self, trigger: &Trigger) -> Option<Watched> {
        // Whatever the fault's place in its plan: what is waited for is what the census counted.
        let resolve = |hosts: &Selector, side| hosts.resolve(self.spec.stage, fault::pick(self.spec.seed, 0, side));
        match trigger {
            Trigger::At(_) => None,
            Trigger::Message(moment) => {
                let (from, to) = (resolve(&moment.from, 2), resolve(&moment.to, 3));
                Some(Watched::Message(MessageWatch { from, to, containing: moment.containing.clone().into_bytes() }))
            }
            Trigger::Event(moment) => {
                let hosts = resolve(&moment.host, 2);
                Some(Watched::Event(EventWatch { hosts, named: moment.named.clone() }))
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
    fn befall(&self, fault: &Fault, index: usize) -> Option<(Befall, Victims)> {
        let (trouble, disks) = (disk_trouble(&fault.kind)?, self.disks.clone());
        let befall = move |host: HostId| disks[host.index()].add_trouble(index as u32, &trouble);
        Some((Arc::new(befall), self.victims(fault, index)?))
    }

    fn victims(&self, fault: &Fault, index: usize) -> Option<Victims> {
        match &fault.target {
            Target::Hosts(Selector::Here) => Some(Victims::Here),
            Target::Hosts(hosts) => Some(Victims::These(self.resolve(hosts, index, 0))),
            Target::Links { .. } | Target::OneWay { .. } => None,
        }
    }

    /// How often what the census asks for was seen, and no moment comes any more.
    pub(super) fn forget_moments(&mut self) {
        let moments = std::mem::take(&mut self.tape.lock().moments);
        let counts = moments.watches.iter().filter(|watch| watch.fault == u32::MAX).map(|watch| watch.seen);
        self.census.extend(counts);
        self.net.lock().watches_messages = false;
    }

    /// The faults whose moment came in the last step, or among what the world itself did.
    pub(super) fn take_struck(&mut self) {
        loop {
            let mut struck = std::mem::take(&mut self.net.lock().struck);
            if struck.is_empty() {
                return;
            }
            // Hosts run one after the other, each through the whole step.
            struck.sort_by_key(|struck| struck.at);
            for struck in struck {
                // What was sent before the fault began does not meet it.
                self.wire.decide_before(&mut self.net.lock(), struck.at, struck.ticket);
                self.finish_strike(struck);
            }
        }
    }

    fn finish_strike(&mut self, struck: Struck) {
        let Struck { fault, at, here, downed, .. } = struck;
        let index = fault as usize;
        for host in downed {
            self.wire.bites[index] += 1;
            self.downed_by[host.index()].push(index);
            self.bury(host, &self.spec.plan.faults[index].kind);
        }
        self.begin(index, Begun { at, here: Some(here) });
    }

    /// The rest of what a kill or a power off does, for a host whose gate is closed and whose kernel knows.
    fn bury(&mut self, host: HostId, kind: &FaultKind) {
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
