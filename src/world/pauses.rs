//! Processes that are paused: their hosts are frozen, and the world runs their kernels in the meantime.

use std::time::Duration;

use super::injection::Injection;
use super::state::{Paused, World};
use crate::fault::{Fault, Target};
use crate::sandbox;
use crate::trace::{Event, HostId};

impl World<'_> {
    /// Prepares to pause the processes that a fault which has just begun pauses. They stop after one more step.
    pub(super) fn pause_by(&mut self, index: usize) {
        for host in self.paused_by(index) {
            if let Some(paused) = self.paused.get_mut(&host) {
                paused.by.push(index);
                if paused.is_frozen {
                    self.wire.record_effects(index, 1);
                }
                continue;
            }
            if !self.is_alive(host) {
                continue;
            }
            let runtime = self.slot(host).runtime.clone();
            if self.hosts.prepare_pause(host, runtime) {
                self.paused.insert(host, Paused { is_frozen: false, by: vec![index] });
            }
        }
    }

    /// Lets the processes go on that only this fault paused.
    pub(super) fn resume_by(&mut self, index: usize) {
        for host in self.paused_by(index) {
            let Some(paused) = self.paused.get_mut(&host) else { continue };
            paused.by.retain(|by| *by != index);
            if paused.by.is_empty()
                && let Some(paused) = self.paused.remove(&host)
            {
                self.hosts.resume(host, self.now);
                if paused.is_frozen {
                    self.record(Some(host), Event::Resumed, None);
                }
            }
        }
    }

    /// Forgets that the process of a host is paused, as it has ended.
    pub(super) fn end_pause(&mut self, host: HostId) {
        self.slot(host).runtime = None;
        self.paused.remove(&host);
    }

    /// Freezes the hosts that have had their last step, at the start of the step that they no longer run in.
    pub(super) fn freeze_hosts(&mut self) {
        if self.paused.is_empty() {
            return;
        }
        let due: Vec<HostId> =
            self.paused.iter().filter(|(_, paused)| !paused.is_frozen).map(|(host, _)| *host).collect();
        for host in due {
            if let Some(paused) = self.paused.get_mut(&host) {
                paused.is_frozen = true;
                self.hosts.pause(host);
                for fault in paused.by.clone() {
                    self.wire.record_effects(fault, 1);
                }
            }
            self.record(Some(host), Event::Paused, None);
        }
    }

    /// Runs the kernels of frozen hosts through the step that ends at `step_end`.
    pub(super) fn run_frozen_kernels(&mut self, step_end: Duration) {
        if self.paused.is_empty() {
            return;
        }
        for (host, _) in self.paused.iter().filter(|(_, paused)| paused.is_frozen) {
            let mut net = self.net.lock();
            while let Some(due) = net.next_due(*host).filter(|due| *due < step_end) {
                sandbox::set_step(due.max(self.now));
                net.run_frozen(*host, due.max(self.now));
            }
        }
        sandbox::set_step(self.now);
    }

    fn paused_by(&self, index: usize) -> Vec<HostId> {
        let Fault { kind, target, .. } = &self.spec.plan.faults[index];
        match (Injection::of(kind), target) {
            (Injection::Pause, Target::Hosts(hosts)) => self.resolve(hosts, index, 0),
            _ => Vec::new(),
        }
    }
}
