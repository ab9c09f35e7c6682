//! What is wrong with a machine that goes on running: its clock, its memory, how its program starts, the names that it
//! looks up. It knows nothing of links.

use super::life::Life;
use super::state::{Action, World};
use crate::disk::{DiskCall, DiskSpeed, Trouble};
use crate::fault::{DiskCalls, Fault, FaultKind, Target};
use crate::net::{NameFault, NameTrouble, SocketLimits};
use crate::sandbox::{self, WallError};
use crate::trace::{Event, HostId};

impl<'a> World<'a> {
    /// A fault of this host began or ended, or its program is about to start: what the faults that act on it now come down
    /// to takes effect at once.
    pub(super) fn apply_host_faults(&mut self, host: HostId) {
        let acting = self.acting_on(host);
        let troubles: Vec<(u32, Trouble)> =
            acting.iter().filter_map(|(index, fault)| Some((*index as u32, disk_trouble(&fault.kind)?))).collect();
        self.disks[host.index()].set_troubles(&troubles);
        let mut limits = SocketLimits::default();
        for (index, fault) in &acting {
            match &fault.kind {
                FaultKind::ShortReads { at_most_bytes } => limits.read.lower(*at_most_bytes, *index),
                FaultKind::ShortWrites { at_most_bytes } => limits.write.lower(*at_most_bytes, *index),
                FaultKind::SmallWindow { bytes } => limits.window.lower(*bytes, *index),
                _ => {}
            }
        }
        self.net.lock().limit_sockets(host, limits);
        self.set_clock(host, &acting);
        let is_stalled = acting.iter().any(|(_, fault)| fault.kind == FaultKind::OutputStall);
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
        // A program that has not run yet is one that starts now.
        if matches!(self.slot(host).life, Life::Program { .. }) {
            let slow = acting.iter().filter_map(|(index, fault)| match fault.kind {
                FaultKind::SlowStart { by } => Some((*index as u32, by)),
                _ => None,
            });
            self.net.lock().all_host_faults.set_slow_start(host, slow.collect());
        }
        let limits = acting.iter().filter_map(|(index, fault)| match fault.kind {
            FaultKind::OutOfMemory { in_flight, .. } => Some((*index as u32, in_flight)),
            _ => None,
        });
        let memory = limits.min_by_key(|(_, in_flight)| *in_flight);
        self.net.lock().all_host_faults.set_memory(host, memory, self.now);
    }

    /// The faults that act on this host now and do not take it down, with their places in the plan.
    fn acting_on(&self, host: HostId) -> Vec<(usize, &'a Fault)> {
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
            match fault.kind {
                FaultKind::ClockSkew { by_ms } => {
                    error.nanos = error.nanos.saturating_add(by_ms.saturating_mul(1_000_000));
                }
                FaultKind::ClockDrift { parts_per_million } => {
                    let own = WallError {
                        since: self.begun[*index].map_or(self.now, |begun| begun.at),
                        nanos: 0,
                        parts_per_million,
                    };
                    error.nanos = error.nanos.saturating_add(own.at(self.now.as_nanos() as u64));
                    error.parts_per_million += parts_per_million;
                }
                _ => continue,
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

    /// A wrong clock is effective when somebody reads it: counted at the end of each step, recorded once.
    fn count_wrong_reads(&mut self, host: HostId) {
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

    /// Programs that ran out of memory in the last step.
    pub(super) fn take_exhausted(&mut self) {
        let exhausted = std::mem::take(&mut self.net.lock().all_host_faults.exhausted);
        for (host, fault) in exhausted {
            let FaultKind::OutOfMemory { restart_after, .. } = self.spec.plan.faults[fault as usize].kind else {
                continue;
            };
            // It may have come to its end by itself meanwhile.
            if self.is_alive(host) {
                self.wire.record_effects(fault as usize, 1);
                self.downed_by[host.index()].push(fault as usize);
                self.kill_with(host, Event::Killed, Some(format!("it is out of memory [f{}]", fault + 1)));
                let life = self.slot(host).lives;
                self.schedule(self.now + restart_after, Action::Relieve { host, life, fault: fault as usize });
            }
        }
    }

    /// A fault of names began or ended.
    pub(super) fn rename(&mut self) {
        let mut names = Vec::new();
        for index in &self.active {
            let fault = &self.spec.plan.faults[*index];
            let trouble = match fault.kind {
                FaultKind::DnsSlow { by } => NameTrouble::Late(by),
                FaultKind::DnsBlackhole => NameTrouble::Dead,
                FaultKind::DnsNotFound => NameTrouble::Nothing,
                _ => continue,
            };
            let Some((first, second)) = fault.target.sides() else { continue };
            for from in self.resolve(first, *index, 0) {
                // A machine knows its own name without asking.
                let others = self.resolve(second, *index, 1).into_iter().filter(|to| *to != from);
                names.extend(others.map(|to| NameFault { fault: *index as u32, from, to, trouble }));
            }
        }
        self.net.lock().names.faults = names;
    }
}

/// What a fault is to a disk; none if it is none of disks.
pub(super) fn disk_trouble(kind: &FaultKind) -> Option<Trouble> {
    let trouble = match *kind {
        FaultKind::DiskErrors { rate, calls } => {
            let call = match calls {
                DiskCalls::All => None,
                DiskCalls::Reads => Some(DiskCall::Read),
                DiskCalls::Writes => Some(DiskCall::Write),
                DiskCalls::Syncs => Some(DiskCall::Sync),
            };
            Trouble::Errors { call, rate }
        }
        FaultKind::DiskFull { free_bytes } => Trouble::Full { free_bytes },
        FaultKind::DiskSlow { read, write, sync } => Trouble::Slow(DiskSpeed { read, write, sync }),
        FaultKind::DiskCorruption { rate } => Trouble::Corruption { rate },
        FaultKind::LostSyncs => Trouble::LostSyncs,
        _ => return None,
    };
    Some(trouble)
}
