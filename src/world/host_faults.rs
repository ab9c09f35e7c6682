//! Faults of a machine that keeps running: those of its disk, sockets, clock, output, memory, program start and name
//! lookups.

use super::injection::{ClockError, Injection, SocketLimit};
use super::life::Life;
use super::state::{Action, World};
use crate::disk::Trouble;
use crate::fault::{Fault, Target};
use crate::net::{NameFault, SocketLimits};
use crate::sandbox::{self, WallError};
use crate::trace::{Event, HostId};

impl<'a> World<'a> {
    /// Applies the faults of all hosts for which they have changed: once for all that begin and end at the same time.
    pub(super) fn apply_changed_faults(&mut self) {
        while let Some(host) = self.changed_hosts.pop_first() {
            self.apply_host_faults(host);
        }
    }

    /// Applies the combined effect of all active faults of a host. Called when some of them begin or end, and when the
    /// host's program is about to start.
    pub(super) fn apply_host_faults(&mut self, host: HostId) {
        let acting = self.active_host_faults(host);
        let troubles: Vec<(u32, Trouble)> =
            acting.iter().filter_map(|(index, fault)| Some((*index as u32, disk_trouble(fault)?))).collect();
        self.disks[host.index()].set_troubles(&troubles);
        let mut limits = SocketLimits::default();
        for (index, fault) in &acting {
            let Injection::Sockets(limit) = Injection::of(&fault.kind) else { continue };
            match limit {
                SocketLimit::Read(bytes) => limits.read.lower(bytes, *index),
                SocketLimit::Write(bytes) => limits.write.lower(bytes, *index),
                SocketLimit::Window(bytes) => limits.window.lower(bytes, *index),
            }
        }
        self.net.lock().limit_sockets(host, limits);
        self.set_clock(host, &acting);
        let is_stalled = acting.iter().any(|(_, fault)| matches!(Injection::of(&fault.kind), Injection::OutputStall));
        match (is_stalled, is_stalled == self.stalled.contains(&host)) {
            (_, true) => {}
            (true, _) => {
                self.stalled.insert(host);
                self.record(Some(host), Event::OutputStalled, None);
            }
            (false, _) => {
                self.stalled.remove(&host);
                self.record(Some(host), Event::OutputResumed, None);
            }
        }
        // The slot holds the program only until its first poll, so this program starts now.
        if matches!(self.slot(host).life, Life::Program { .. }) {
            let slow = acting.iter().filter_map(|(index, fault)| match Injection::of(&fault.kind) {
                Injection::SlowStart(by) => Some((*index as u32, by)),
                _ => None,
            });
            self.net.lock().all_host_faults.set_slow_start(host, slow.collect());
        }
        let limits = acting.iter().filter_map(|(index, fault)| match Injection::of(&fault.kind) {
            Injection::OutOfMemory { in_flight, .. } => Some((*index as u32, in_flight)),
            _ => None,
        });
        let memory = limits.min_by_key(|(_, in_flight)| *in_flight);
        self.net.lock().all_host_faults.set_memory(host, memory, self.now);
    }

    /// The active faults of a host that do not take it down, with their indices in the plan.
    fn active_host_faults(&self, host: HostId) -> Vec<(usize, &'a Fault)> {
        let acts = |index: usize, fault: &Fault| match &fault.target {
            Target::Hosts(hosts) => self.resolve(hosts, index, 0).contains(&host),
            Target::Links { .. } | Target::OneWay { .. } => false,
        };
        let plan = &self.spec.plan.faults;
        let active = self.active.iter().map(|index| (*index, &plan[*index]));
        active.filter(|(index, fault)| !fault.kind.takes_hosts_down() && acts(*index, fault)).collect()
    }

    fn set_clock(&mut self, host: HostId, acting: &[(usize, &Fault)]) {
        self.count_wrong_reads(host);
        let mut error = WallError { since: self.now, ..WallError::default() };
        let mut faults = Vec::new();
        for (index, fault) in acting {
            let Injection::Clock(wrong) = Injection::of(&fault.kind) else { continue };
            match wrong {
                ClockError::Skew { by_ms } => {
                    error.nanos = error.nanos.saturating_add(by_ms.saturating_mul(1_000_000));
                }
                ClockError::Drift { parts_per_million } => {
                    let own = WallError {
                        since: self.fault_starts[*index].map_or(self.now, |start| start.at),
                        nanos: 0,
                        parts_per_million,
                    };
                    error.nanos = error.nanos.saturating_add(own.at(self.now.as_nanos() as u64));
                    error.parts_per_million += parts_per_million;
                }
            }
            faults.push(*index);
        }
        if faults.is_empty() {
            if self.wrong_clocks.remove(&host).is_some() {
                sandbox::set_wall_error(host.index(), WallError::default());
            }
        } else {
            self.wrong_clocks.insert(host, faults);
            sandbox::set_wall_error(host.index(), error);
        }
    }

    pub(super) fn count_all_wrong_reads(&mut self) {
        for host in self.wrong_clocks.keys().copied().collect::<Vec<HostId>>() {
            self.count_wrong_reads(host);
        }
    }

    /// Counts the reads of a wrong clock as effects of its faults, and records the first of them for each fault.
    pub(super) fn count_wrong_reads(&mut self, host: HostId) {
        let Some(faults) = self.wrong_clocks.get(&host) else { return };
        let reads = sandbox::take_wrong_reads(host.index());
        if reads == 0 {
            return;
        }
        for fault in faults.clone() {
            self.wire.record_effects(fault, reads);
            if self.reported_clocks.insert((host, fault)) {
                let words = "reads a wall clock that is wrong".to_owned();
                self.record(Some(host), Event::HostAffected { fault: fault as u32 }, Some(words));
            }
        }
    }

    /// Kills the programs that ran out of memory in the last step.
    pub(super) fn kill_exhausted(&mut self) {
        let exhausted = std::mem::take(&mut self.net.lock().all_host_faults.exhausted);
        for (host, fault) in exhausted {
            let kind = &self.spec.plan.faults[fault as usize].kind;
            let Injection::OutOfMemory { restart_after, .. } = Injection::of(kind) else { continue };
            // The program may have ended by itself since.
            if self.is_alive(host) {
                self.wire.record_effects(fault as usize, 1);
                self.downed_by[host.index()].push(fault as usize);
                self.kill_with(host, Event::Killed, Some(format!("it is out of memory [f{}]", fault + 1)));
                let life = self.slot(host).lives;
                self.schedule(self.now + restart_after, Action::Release { host, life, fault: fault as usize });
            }
        }
    }

    /// Applies all active faults of name lookups. Called when one of them begins or ends.
    pub(super) fn apply_name_faults(&mut self) {
        let mut names = Vec::new();
        for index in &self.active {
            let fault = &self.spec.plan.faults[*index];
            let Injection::Names(trouble) = Injection::of(&fault.kind) else { continue };
            let Some((first, second)) = fault.target.sides() else { continue };
            for from in self.resolve(first, *index, 0) {
                // A machine resolves its own name without a lookup.
                let others = self.resolve(second, *index, 1).into_iter().filter(|to| *to != from);
                names.extend(others.map(|to| NameFault { fault: *index as u32, from, to, trouble }));
            }
        }
        self.net.lock().names.faults = names;
    }
}

/// The trouble that a fault gives a disk; `None` if it is not a disk fault.
pub(super) fn disk_trouble(fault: &Fault) -> Option<Trouble> {
    if let Injection::Disk(trouble) = Injection::of(&fault.kind) { Some(trouble) } else { None }
}
