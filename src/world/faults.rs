//! The beginning and the end of faults, and the hosts that they take down and start again.

use super::injection::{GoingDown, Injection};
use super::state::{Action, FaultStart, World};
use crate::fault::{Fault, Target};
use crate::trace::{Event, HostId};

impl World<'_> {
    /// Begins a fault whose time has come.
    pub(super) fn begin_timed_fault(&mut self, index: usize) {
        let fault = &self.spec.plan.faults[index];
        self.record(None, Event::FaultBegan { fault: index as u32 }, Some(fault.to_string()));
        self.begin_fault(index, FaultStart { at: fault.begins_at().unwrap_or(self.now), here: None });
    }

    /// Makes a fault active from `start.at` on, which may be in the step that has just ended but not later than this
    /// one.
    pub(super) fn begin_fault(&mut self, index: usize, start: FaultStart) {
        let fault = &self.spec.plan.faults[index];
        self.fault_starts[index] = Some(start);
        self.active.push(index);
        self.schedule(start.at.saturating_add(fault.lasting).max(self.now), Action::End(index));
        self.update_hosts(index, |world, host| world.take_down(host, index, fault));
        for (from, to, link_fault) in self.link_faults(index) {
            self.wire.begin(&mut self.net.lock(), from, to, index as u32, link_fault, start.at);
        }
        self.pause_by(index);
    }

    /// Updates the hosts and names of a fault that has just begun or ended. `change_life` takes down or releases each
    /// host of a fault that takes hosts down.
    fn update_hosts(&mut self, index: usize, change_life: impl Fn(&mut Self, HostId)) {
        let fault = &self.spec.plan.faults[index];
        match &fault.target {
            Target::Hosts(hosts) => {
                for host in self.resolve(hosts, index, 0) {
                    if fault.kind.takes_hosts_down() {
                        change_life(self, host);
                    } else {
                        self.changed_hosts.insert(host);
                    }
                }
            }
            Target::Links { .. } | Target::OneWay { .. } if fault.kind.is_of_names() => self.apply_name_faults(),
            Target::Links { .. } | Target::OneWay { .. } => {}
        }
    }

    pub(super) fn take_down(&mut self, host: HostId, index: usize, fault: &Fault) {
        let Injection::Down(down) = Injection::of(&fault.kind) else { return };
        if self.downed_by[host.index()].contains(&index) {
            // The fault took it down at its trigger point already.
            return;
        }
        if !self.is_alive(host) {
            // A host that is down stays down until both faults are over, and its machine can still lose its power.
            if !self.downed_by[host.index()].is_empty() {
                self.downed_by[host.index()].push(index);
                if down == GoingDown::PowerOff && self.net.lock().has_power(host) {
                    self.wire.record_effects(index, 1);
                    self.power_off(host);
                }
            }
            return;
        }
        self.wire.record_effects(index, 1);
        self.downed_by[host.index()].push(index);
        match down {
            GoingDown::Kill => self.kill(host, Event::Killed),
            GoingDown::PowerOff => self.power_off(host),
            GoingDown::Stop { grace } => {
                self.record(Some(host), Event::Stopping, None);
                let life = {
                    let slot = self.slot(host);
                    slot.shutdown.request();
                    slot.lives
                };
                self.schedule(self.now + grace, Action::GraceOver { host, life });
            }
        }
    }

    pub(super) fn end_fault(&mut self, index: usize) {
        if !self.active.contains(&index) {
            return;
        }
        self.active.retain(|active| *active != index);
        self.record(None, Event::FaultEnded { fault: index as u32 }, None);
        self.update_hosts(index, |world, host| world.release_host(host, index));
        for (from, to, _) in self.link_faults(index) {
            self.wire.end(&mut self.net.lock(), from, to, index as u32, self.now);
        }
        self.resume_by(index);
    }

    pub(super) fn release_host(&mut self, host: HostId, index: usize) {
        let downed_by = &mut self.downed_by[host.index()];
        let was_down = !downed_by.is_empty();
        downed_by.retain(|by| *by != index);
        if !was_down || !downed_by.is_empty() {
            return;
        }
        if self.is_alive(host) {
            // It was asked to stop and is still running when the fault ends, so it is killed.
            self.kill(host, Event::Killed);
        }
        self.net.lock().power_on(host);
        self.start(host);
    }

    /// Starts a new life of a host's program.
    pub(super) fn start(&mut self, host: HostId) {
        self.prepare_life(host);
        self.record(Some(host), Event::Started, None);
        self.apply_host_faults(host);
        self.begin_process(host);
        self.hosts.begin_life(host);
    }
}
