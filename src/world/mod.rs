//! The world: turmoil's simulation, the wire and the plan, step by step. It knows nothing of scenarios or verdicts.

mod faults;
mod host_faults;
mod life;
mod links;
mod log;
mod state;
mod trigger_points;

use std::sync::{Arc, Mutex, PoisonError};

use crate::history::{History, SharedTape};
use crate::host::HostSpec;
use crate::sandbox::{self, Notes};
use crate::trace::{Event, HostId, Trace};

use life::{Slot, run_life};
use state::{Action, EPOCH, World};

pub(crate) use state::WorldSpec;

/// What a run leaves behind.
#[derive(Debug)]
pub(crate) struct RunArtifacts {
    pub(crate) trace: Trace,
    pub(crate) history: History,
    /// How often each fault of the plan changed something.
    pub(crate) effects: Vec<u64>,
    /// Programs that failed without supervision: host and error.
    pub(crate) failures: Vec<(HostId, String)>,
    pub(crate) notes: Notes,
    /// How often each trigger point of `WorldSpec::trigger_counts` was seen while faults could happen.
    pub(crate) trigger_counts: Vec<u32>,
}

/// Runs a world from its start to its end.
pub(crate) fn simulate(spec: &WorldSpec<'_>) -> RunArtifacts {
    let names: Vec<String> = spec.hosts.iter().map(|host| host.name.clone()).collect();
    sandbox::enter(sandbox::Settings { seed: spec.seed, epoch: EPOCH, hosts: names.clone() });
    let tape = SharedTape::new(Trace::new(names.clone(), spec.step, spec.run_for, spec.rich));
    let logging = log::capture(&tape);
    let mut world = World::build(spec, tape.clone(), names);
    let end = spec.run_for + spec.settle_for;
    while world.now < end {
        world.step();
    }
    let (effects, failures, trigger_counts) = world.finish();
    drop(logging);
    let notes = sandbox::leave();
    let mut tape = tape.lock();
    tape.trace.ended_at = end;
    tape.trace.unpack();
    let trace = tape.trace.take();
    RunArtifacts { trace, history: std::mem::take(&mut tape.history), effects, failures, notes, trigger_counts }
}

impl<'a> World<'a> {
    /// The world with all its hosts, at its start.
    fn build(spec: &'a WorldSpec<'a>, tape: SharedTape, names: Vec<String>) -> World<'a> {
        let mut world = World::new(spec, tape, names);
        world.watch_for_trigger_points();
        let hosts = || (0..spec.hosts.len()).map(|index| HostId(index as u16));
        for host in hosts() {
            world.add_host(host, &spec.hosts[host.index()]);
        }
        // A fault that begins with a start finds all hosts there.
        let due: Vec<_> = hosts().map(|host| (host, world.write_down(Some(host), Event::Started, None))).collect();
        due.into_iter().for_each(|(host, due)| world.trigger_all(due, Some(host)));
        for (a, host) in spec.hosts.iter().enumerate() {
            for other in &spec.hosts[a + 1..] {
                world.sim.hold(host.name.as_str(), other.name.as_str());
            }
        }
        for (index, fault) in spec.plan.faults.iter().enumerate() {
            if let Some(at) = fault.begins_at().filter(|at| *at < spec.run_for) {
                world.schedule(at, Action::Begin(index));
            }
        }
        world
    }

    fn add_host(&mut self, id: HostId, host: &HostSpec) {
        let address = self.sim.lookup(host.name.as_str());
        assert_eq!(address, crate::net::address(id.index()), "turmoil numbers hosts from 192.168.0.1");
        sandbox::set_wall_offset(id.index(), host.wall_offset);
        let slot = Arc::new(Mutex::new(Slot::default()));
        self.slots.push(slot.clone());
        self.prepare_life(id);
        let net = self.net.clone();
        self.sim.host(host.name.as_str(), move || run_life(slot.clone(), net.clone(), id));
    }

    /// One step: fates of what was sent, then what has happened to programs, then faults, then all hosts.
    fn step(&mut self) {
        let step_end = self.now + self.spec.step;
        sandbox::set_step(self.now);
        self.take_triggered();
        self.wire.decide(&mut self.net.lock());
        self.take_exits();
        self.take_exhausted();
        if self.now >= self.spec.run_for && self.now < self.spec.run_for + self.spec.step {
            // What a program's end has brought about just now is over with all else.
            self.take_triggered();
            self.end_all_faults();
        }
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 >= step_end {
                break;
            }
            let action = entry.remove();
            self.act(action);
        }
        self.take_triggered();
        if self.wire.closes_idle() {
            self.wire.close_idle(&mut self.net.lock(), self.now);
        }
        self.wire.decide(&mut self.net.lock());
        self.wire.release(&self.net.lock(), &self.sim, self.now, step_end);
        // Turmoil reports an error only if a program ends with one, and ours never end.
        if let Err(error) = self.sim.step() {
            self.failures.push((HostId::UNKNOWN, error.to_string()));
        }
        if !self.wrong_clocks.is_empty() {
            self.count_all_wrong_reads();
        }
        self.now = step_end;
        self.tape.lock().trace.counters.steps += 1;
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Begin(index) => self.begin_fault(index),
            Action::End(index) => self.end_fault(index),
            Action::GraceOver { host, life } => {
                if self.is_alive(host) && self.slot(host).lives == life {
                    self.kill(host, Event::Killed);
                }
            }
            Action::Revive { host, life } => {
                if self.downed_by[host.index()].is_empty() && self.slot(host).lives == life {
                    self.start(host);
                }
            }
            Action::Relieve { host, life, fault } => {
                if self.slot(host).lives == life {
                    self.release_host(host, fault);
                }
            }
        }
    }

    fn end_all_faults(&mut self) {
        self.forget_trigger_points();
        for index in self.active.clone() {
            self.end_fault(index);
        }
        // Whom a supervisor has not got to yet.
        for host in 0..self.downed_by.len() {
            for fault in self.downed_by[host].clone() {
                self.release_host(HostId(host as u16), fault);
            }
        }
        self.record(None, Event::FaultsOver, None);
    }

    /// Ends the run: from now on no destructor acts.
    fn finish(mut self) -> (Vec<u64>, Vec<(HostId, String)>, Vec<u32>) {
        sandbox::set_step(self.now);
        self.take_triggered();
        self.wire.decide(&mut self.net.lock());
        self.take_exits();
        self.forget_trigger_points();
        for slot in &self.slots {
            slot.lock().unwrap_or_else(PoisonError::into_inner).alive.clear();
        }
        let mut effects = self.wire.take_effects();
        let of_disks = self.disks.iter().flat_map(|disk| disk.effects());
        for (fault, count) in of_disks.chain(self.net.lock().take_effects()) {
            effects[fault as usize] += count;
        }
        (effects, self.failures, self.trigger_counts)
    }
}
