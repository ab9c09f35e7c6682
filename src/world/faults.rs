//! How faults begin and end, and which hosts go down by them. What is wrong with hosts that go on running is told elsewhere.

use super::state::{Action, Begun, World};
use crate::fault::{Fault, FaultKind, Target};
use crate::trace::{Event, HostId};

impl World<'_> {
    pub(super) fn begin_fault(&mut self, index: usize) {
        let fault = &self.spec.plan.faults[index];
        self.record(None, Event::FaultBegan { fault: index as u32 }, Some(fault.to_string()));
        self.begin(index, Begun { at: fault.begins_at().unwrap_or(self.now), here: None });
    }

    /// A fault acts from a time on that is not later than this step.
    pub(super) fn begin(&mut self, index: usize, begun: Begun) {
        let fault = &self.spec.plan.faults[index];
        self.begun[index] = Some(begun);
        self.active.push(index);
        self.schedule(begun.at.saturating_add(fault.lasting).max(self.now), Action::End(index));
        self.change_hosts(index, |world, host| world.take_down(host, index, fault));
        for (from, to, what) in self.link_faults(index) {
            self.wire.begin(&mut self.net.lock(), from, to, index as u32, what, begun.at);
        }
    }

    /// Applies a fault that has just begun or ended to its hosts and names; a host that the fault takes down is left to
    /// `change_life`.
    fn change_hosts(&mut self, index: usize, change_life: impl Fn(&mut Self, HostId)) {
        let fault = &self.spec.plan.faults[index];
        match &fault.target {
            Target::Hosts(hosts) => {
                for host in self.resolve(hosts, index, 0) {
                    if fault.kind.takes_hosts_down() {
                        change_life(self, host);
                    } else {
                        self.apply_host_faults(host);
                    }
                }
            }
            Target::Links { .. } | Target::OneWay { .. } if fault.kind.is_of_names() => self.rename(),
            Target::Links { .. } | Target::OneWay { .. } => {}
        }
    }

    pub(super) fn take_down(&mut self, host: HostId, index: usize, fault: &Fault) {
        if self.downed_by[host.index()].contains(&index) {
            // It went down at the very moment at which the fault began.
            return;
        }
        if !self.is_alive(host) {
            // A host that is down stays down until both faults are over, and its machine can still lose its power.
            if !self.downed_by[host.index()].is_empty() {
                self.downed_by[host.index()].push(index);
                if fault.kind == FaultKind::PowerOff && self.net.lock().has_power(host) {
                    self.wire.record_effects(index, 1);
                    self.power_off(host);
                }
            }
            return;
        }
        self.wire.record_effects(index, 1);
        self.downed_by[host.index()].push(index);
        match fault.kind {
            FaultKind::Kill => self.kill(host, Event::Killed),
            FaultKind::PowerOff => self.power_off(host),
            FaultKind::Stop { grace } => {
                self.record(Some(host), Event::Stopping, None);
                let life = {
                    let slot = self.slot(host);
                    slot.shutdown.request();
                    slot.lives
                };
                self.schedule(self.now + grace, Action::GraceOver { host, life });
            }
            _ => {}
        }
    }

    pub(super) fn end_fault(&mut self, index: usize) {
        if !self.active.contains(&index) {
            return;
        }
        self.active.retain(|active| *active != index);
        self.record(None, Event::FaultEnded { fault: index as u32 }, None);
        self.change_hosts(index, |world, host| world.release_host(host, index));
        for (from, to, _) in self.link_faults(index) {
            self.wire.end(&mut self.net.lock(), from, to, index as u32, self.now);
        }
    }

    pub(super) fn release_host(&mut self, host: HostId, index: usize) {
        let downed_by = &mut self.downed_by[host.index()];
        let was_down = !downed_by.is_empty();
        downed_by.retain(|by| *by != index);
        if !was_down || !downed_by.is_empty() {
            return;
        }
        if self.is_alive(host) {
            // It was asked to stop and has not: the time is over, so it goes the hard way.
            self.kill(host, Event::Killed);
        }
        let (wire, now) = (&self.wire, self.now);
        self.net.lock().power_on(host, |packet, flow| wire.next_arrival(packet, flow, now));
        self.start(host);
    }

    /// A life of a host's program begins.
    pub(super) fn start(&mut self, host: HostId) {
        self.prepare_life(host);
        self.record(Some(host), Event::Started, None);
        self.apply_host_faults(host);
        self.sim.bounce(self.spec.hosts[host.index()].name.as_str());
    }
}
