//! The world: runs the hosts, the wire and the plan, from the start of a run to its end.

mod engine;
mod faults;
mod host_faults;
mod injection;
mod jump;
mod life;
mod links;
mod log;
mod pauses;
mod state;
mod trigger_points;
mod vocabulary;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crate::history::{History, SharedRecording};
use crate::host::HostSpec;
use crate::sandbox::{self, Notes};
use crate::trace::{Event, HostId, Trace};

use engine::Hosts;
use life::Slot;
use state::{Action, World};

pub use engine::{Engine, SeededOrder};
pub(crate) use state::{EPOCH, WorldSpec};

/// The artifacts of a run.
#[derive(Debug)]
pub(crate) struct RunArtifacts {
    pub(crate) trace: Trace,
    pub(crate) history: History,
    /// The number of effects of each fault of the plan.
    pub(crate) effects: Vec<u64>,
    /// Programs that failed without supervision: host and error.
    pub(crate) failures: Vec<(HostId, String)>,
    /// What clients gave to the recorder that it cannot write, one line each.
    pub(crate) unrecorded: Vec<String>,
    pub(crate) notes: Notes,
    /// The number of occurrences of each trigger point of `WorldSpec::trigger_counts` while faults could happen.
    pub(crate) trigger_counts: Vec<u32>,
}

/// Runs a world from its start to its end.
pub(crate) fn simulate(spec: &WorldSpec<'_>) -> RunArtifacts {
    sandbox::on_seeded_stack(spec.seed, || simulate_here(spec))
}

fn simulate_here(spec: &WorldSpec<'_>) -> RunArtifacts {
    let names: Vec<String> = spec.hosts.iter().map(|host| host.name.clone()).collect();
    let allowed_escapes = spec.allowed_escapes.to_vec();
    sandbox::enter(sandbox::Settings { seed: spec.seed, epoch: EPOCH, hosts: names.clone(), allowed_escapes });
    let trace = Trace::new(names.clone(), spec.step, spec.run_for, spec.rich);
    let recording =
        SharedRecording::new(trace.observing(spec.observes, spec.kept_headers.clone()).keeping_bytes(spec.keeps_bytes));
    let logging = log::capture(&recording);
    let mut world = World::build(spec, recording.clone(), names);
    let end = spec.run_for + spec.settle_for;
    while world.now < end {
        match world.hosts {
            Hosts::Turmoil(_) => world.step(),
            Hosts::Events(_) => world.jump(end),
        }
    }
    let (effects, failures, trigger_counts) = world.finish();
    drop(logging);
    let notes = sandbox::leave_with(spec.rich);
    let mut recording = recording.lock();
    recording.trace.ended_at = end;
    recording.trace.unpack();
    let trace = recording.trace.take();
    let (history, unrecorded) = (std::mem::take(&mut recording.history), std::mem::take(&mut recording.unrecorded));
    RunArtifacts { trace, history, effects, failures, unrecorded, notes, trigger_counts }
}

impl<'a> World<'a> {
    /// The world with all its hosts, at its start.
    fn build(spec: &'a WorldSpec<'a>, recording: SharedRecording, names: Vec<String>) -> World<'a> {
        let mut world = World::new(spec, recording, names);
        world.watch_for_trigger_points();
        let hosts = || (0..spec.hosts.len()).map(|index| HostId(index as u16));
        for host in hosts() {
            world.add_host(host, &spec.hosts[host.index()]);
        }
        // All starts are recorded before any of them triggers a fault, so that the fault finds all hosts started.
        let due: Vec<_> =
            hosts().map(|host| (host, world.record_deferring_triggers(Some(host), Event::Started, None))).collect();
        due.into_iter().for_each(|(host, due)| world.trigger_all(due, Some(host)));
        match &world.hosts {
            Hosts::Turmoil(turmoil) => turmoil.hold_all(),
            Hosts::Events(_) => world.schedule(spec.run_for, Action::EndAll),
        }
        for (index, fault) in spec.plan.faults.iter().enumerate() {
            if let Some(at) = fault.begins_at().filter(|at| *at < spec.run_for) {
                world.schedule(at, Action::Begin(index));
            }
        }
        world
    }

    fn add_host(&mut self, id: HostId, host: &HostSpec) {
        sandbox::set_wall_offset(id.index(), host.wall_offset);
        let slot = Arc::new(Mutex::new(Slot { has_exited: self.has_exited.clone(), ..Slot::default() }));
        self.slots.push(slot.clone());
        self.prepare_life(id);
        self.begin_process(id);
        self.hosts.add(id, &host.name, &slot, &self.net);
    }

    /// Runs one step: decides the fates of sent segments, handles the programs that ended, begins and ends faults, and
    /// then runs all hosts.
    fn step(&mut self) {
        let step_end = self.now + self.spec.step;
        sandbox::set_step(self.now);
        self.freeze_hosts();
        // In most steps there is nothing to do but to run the hosts, and each lock has its price.
        let has_exited = self.has_exited.load(Ordering::Relaxed);
        let mut is_eventful = has_exited || self.wire.closes_idle() || self.net.lock().has_work(self.now);
        if is_eventful {
            self.begin_triggered_faults();
            self.wire.decide(&mut self.net.lock(), self.now);
            self.handle_exits();
            self.kill_exhausted();
        }
        if self.now >= self.spec.run_for && self.now < self.spec.run_for + self.spec.step {
            is_eventful = true;
            // A fault that the end of a program has just triggered begins here and ends with all others.
            self.begin_triggered_faults();
            self.end_all_faults();
        }
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 >= step_end {
                break;
            }
            is_eventful = true;
            let at = entry.key().0;
            let action = entry.remove();
            self.perform(action);
            if self.agenda.first_key_value().is_none_or(|((next, _), _)| *next != at) {
                self.apply_changed_faults();
            }
        }
        if is_eventful {
            self.begin_triggered_faults();
            if self.wire.closes_idle() {
                self.wire.close_idle(&mut self.net.lock(), self.now);
            }
            self.wire.decide(&mut self.net.lock(), self.now);
        }
        self.run_frozen_kernels(step_end);
        if let Hosts::Turmoil(turmoil) = &mut self.hosts {
            self.wire.release(&turmoil.sim, self.now, step_end);
            // Turmoil reports an error only if a host's future ends with one, and no life ends by itself.
            if let Err(error) = turmoil.sim.step() {
                self.failures.push((HostId::UNKNOWN, error.to_string()));
            }
        }
        if !self.wrong_clocks.is_empty() {
            self.count_all_wrong_reads();
        }
        self.now = step_end;
        self.recording.lock().trace.counters.steps += 1;
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Begin(index) => self.begin_timed_fault(index),
            Action::End(index) => self.end_fault(index),
            Action::EndAll => self.end_all_faults(),
            Action::GraceOver { host, life } => {
                if self.is_alive(host) && self.slot(host).lives == life {
                    self.kill(host, Event::Killed);
                }
            }
            Action::Restart { host, life } => {
                if self.downed_by[host.index()].is_empty() && self.slot(host).lives == life {
                    self.start(host);
                }
            }
            Action::Release { host, life, fault } => {
                if self.slot(host).lives == life {
                    self.release_host(host, fault);
                }
            }
        }
    }

    fn end_all_faults(&mut self) {
        self.end_trigger_points();
        for index in self.active.clone() {
            self.end_fault(index);
        }
        self.apply_changed_faults();
        // Programs that ran out of memory and that no supervisor has restarted yet.
        for host in 0..self.downed_by.len() {
            for fault in self.downed_by[host].clone() {
                self.release_host(HostId(host as u16), fault);
            }
        }
        self.record(None, Event::FaultsOver, None);
    }

    /// Ends the run, and clears all alive flags so that destructors have no effect.
    fn finish(mut self) -> (Vec<u64>, Vec<(HostId, String)>, Vec<u32>) {
        sandbox::set_step(self.now);
        self.begin_triggered_faults();
        self.wire.decide(&mut self.net.lock(), self.now);
        self.handle_exits();
        self.count_descriptors();
        self.end_trigger_points();
        for slot in &self.slots {
            slot.lock().unwrap_or_else(PoisonError::into_inner).alive.clear();
        }
        let can_be_dropped = sandbox::end_lives();
        let mut effects = self.wire.take_effects();
        let disk_effects = self.disks.iter().flat_map(|disk| disk.effects());
        for (fault, count) in disk_effects.chain(self.net.lock().take_effects()) {
            effects[fault as usize] += count;
        }
        let ended = (effects, std::mem::take(&mut self.failures), std::mem::take(&mut self.trigger_counts));
        if !can_be_dropped {
            // A runtime that is dropped would wait for its threads for ever.
            std::mem::forget(self);
        }
        ended
    }
}
