//! The world: turmoil's simulation, the wire and the plan, step by step. It knows nothing of scenarios or verdicts.

mod faults;
mod host_faults;
mod injection;
mod life;
mod links;
mod log;
mod trigger_points;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use crate::alive::AliveFlag;
use crate::disk::DiskImage;
use crate::fault::{Plan, Topology, Trigger};
use crate::history::{History, SharedTape};
use crate::host::{HostContext, HostSpec, Shutdown};
use crate::net::{SharedNet, Wire, WireSettings};
use crate::sandbox::{self, Notes};
use crate::seed::Seed;
use crate::trace::{Event, HostId, Trace};

use life::{Exit, Life, Slot, run_life};

/// Where simulated wall clocks start: 2026-01-01T00:00:00Z, in seconds since the Unix epoch.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// Datagrams that a network card may hold at the start of a step before turmoil drops some: never reached.
const CARD_CAPACITY: usize = 1 << 20;

/// All that a run depends on, resolved.
#[derive(Debug)]
pub(crate) struct WorldSpec<'a> {
    pub(crate) seed: Seed,
    pub(crate) hosts: &'a [HostSpec],
    pub(crate) plan: &'a Plan,
    pub(crate) topology: &'a Topology,
    pub(crate) latency: std::ops::Range<Duration>,
    pub(crate) latencies: Vec<(HostId, HostId, std::ops::Range<Duration>)>,
    pub(crate) step: Duration,
    pub(crate) run_for: Duration,
    pub(crate) settle_for: Duration,
    pub(crate) rich: bool,
    /// What to count, besides what the plan waits for.
    pub(crate) trigger_counts: &'a [Trigger],
}

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
    /// How often each entry of the trigger_counts was seen while faults might happen.
    pub(crate) trigger_counts: Vec<u32>,
}

/// What is to happen at a time.
#[derive(Clone, Copy, Debug)]
enum Action {
    Begin(usize),
    /// A program that was asked to stop has had its time.
    GraceOver {
        host: HostId,
        life: u32,
    },
    End(usize),
    Revive {
        host: HostId,
        life: u32,
    },
    /// A supervisor starts a program again that a fault has killed once.
    Relieve {
        host: HostId,
        life: u32,
        fault: usize,
    },
}

/// That a fault has begun.
#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Duration,
    /// Where its moment came, if it began with one.
    here: Option<HostId>,
}

struct World<'a> {
    spec: &'a WorldSpec<'a>,
    sim: turmoil::Sim<'a>,
    tape: SharedTape,
    net: SharedNet,
    wire: Wire,
    slots: Vec<Arc<Mutex<Slot>>>,
    disks: Vec<DiskImage>,
    /// Which faults keep each host down; it is started again when there is none.
    downed_by: Vec<Vec<usize>>,
    /// When each fault began, and where, if it has.
    begun: Vec<Option<Begun>>,
    agenda: BTreeMap<(Duration, u64), Action>,
    agenda_entries: u64,
    active: Vec<usize>,
    /// Whose programs are mute.
    stalled: BTreeSet<HostId>,
    /// Which faults make the wall clock of a host wrong.
    wrong_clocks: BTreeMap<HostId, Vec<usize>>,
    /// Of which of them it is recorded that somebody has read the clock.
    reported_clocks: BTreeSet<(HostId, usize)>,
    failures: Vec<(HostId, String)>,
    trigger_counts: Vec<u32>,
    now: Duration,
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
    fn build(spec: &'a WorldSpec<'a>, tape: SharedTape, names: Vec<String>) -> World<'a> {
        let settings =
            WireSettings { seed: spec.seed, latency: spec.latency.clone(), latencies: spec.latencies.clone() };
        let net = SharedNet::new(tape.clone(), names);
        let mut world = World {
            spec,
            sim: turmoil::Builder::new()
                .tick_duration(spec.step)
                .simulation_duration(Duration::MAX / 4)
                .epoch(UNIX_EPOCH + EPOCH)
                .udp_capacity(CARD_CAPACITY)
                .tcp_capacity(1_024)
                .rng_seed(spec.seed.decide("turmoil", &[]))
                .build(),
            tape,
            net,
            wire: Wire::new(&settings, spec.hosts.len(), spec.plan.faults.len()),
            slots: Vec::new(),
            disks: (0..spec.hosts.len()).map(|host| DiskImage::new(spec.seed, host as u64)).collect(),
            downed_by: vec![Vec::new(); spec.hosts.len()],
            begun: vec![None; spec.plan.faults.len()],
            agenda: BTreeMap::new(),
            agenda_entries: 0,
            active: Vec::new(),
            stalled: BTreeSet::new(),
            wrong_clocks: BTreeMap::new(),
            reported_clocks: BTreeSet::new(),
            failures: Vec::new(),
            trigger_counts: Vec::new(),
            now: Duration::ZERO,
        };
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

    /// Makes the next life of a host a run of its program.
    fn prepare_life(&mut self, id: HostId) {
        let host = &self.spec.hosts[id.index()];
        let alive = AliveFlag::new();
        let shutdown = Shutdown::default();
        let mut slot = self.slots[id.index()].lock().unwrap_or_else(PoisonError::into_inner);
        let context = HostContext {
            id,
            name: host.name.as_str().into(),
            index: host.index,
            client: 0,
            life: slot.lives,
            alive: alive.clone(),
            net: self.net.clone(),
            tape: self.tape.clone(),
            disk: self.disks[id.index()].attach(alive.clone()),
            shutdown: shutdown.clone(),
            run_for: self.spec.run_for,
            settle_for: self.spec.settle_for,
        };
        slot.lives += 1;
        self.net.lock().mark_alive(id, alive.clone());
        slot.alive = alive;
        slot.shutdown = shutdown;
        slot.exit = None;
        slot.life = Life::Program { program: host.program.clone(), context: Box::new(context) };
    }

    fn record(&self, host: Option<HostId>, event: Event, text: Option<String>) {
        let due = self.write_down(host, event, text);
        self.trigger_all(due, host);
    }

    /// Records an event; returns the faults whose moment it is, for when it has happened in full.
    fn write_down(&self, host: Option<HostId>, event: Event, text: Option<String>) -> Vec<u32> {
        let mut tape = self.tape.lock();
        let due = host.map(|host| tape.trigger_points.event(host, &event)).unwrap_or_default();
        tape.trace.push_with(self.now, host, event, |out| out.write_str(text.as_deref().unwrap_or_default()));
        due
    }

    fn trigger_all(&self, due: Vec<u32>, host: Option<HostId>) {
        for fault in due {
            self.net.lock().trigger(fault, host.unwrap_or(HostId::UNKNOWN));
        }
    }

    fn schedule(&mut self, at: Duration, action: Action) {
        self.agenda_entries += 1;
        self.agenda.insert((at, self.agenda_entries), action);
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
        self.wire.release(&mut self.net.lock(), &self.sim, self.now, step_end);
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

    fn slot(&self, host: HostId) -> std::sync::MutexGuard<'_, Slot> {
        self.slots[host.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_alive(&self, host: HostId) -> bool {
        let slot = self.slot(host);
        slot.alive.is_set() && slot.exit.is_none()
    }

    /// Programs that returned or failed in the last step.
    fn take_exits(&mut self) {
        for index in 0..self.slots.len() {
            let host = HostId(index as u16);
            let (exit, life) = {
                let mut slot = self.slot(host);
                (slot.exit.take(), slot.lives)
            };
            match exit {
                None => {}
                Some(Exit::Returned) => self.kill_with(host, Event::Returned, None),
                Some(Exit::Failed(error)) => {
                    self.kill_with(host, Event::Failed, Some(error.clone()));
                    match self.spec.hosts[index].supervised {
                        Some(delay) => self.schedule(self.now + delay, Action::Revive { host, life }),
                        None => self.failures.push((host, error)),
                    }
                }
            }
        }
    }

    fn kill(&mut self, host: HostId, event: Event) {
        self.kill_with(host, event, None);
    }

    /// The process of a host is gone; its machine closes what the process had open, and idles.
    fn kill_with(&mut self, host: HostId, event: Event, text: Option<String>) {
        let due = self.write_down(Some(host), event, text);
        self.net.lock().mark_dead(host);
        self.net.lock().kill(host);
        if !due.is_empty() {
            // What its kernel has just said is on its way, whatever else comes now.
            self.net.lock().send_without_datagrams(host);
        }
        self.disks[host.index()].kill();
        self.idle(host);
        self.trigger_all(due, Some(host));
    }

    fn power_off(&mut self, host: HostId) {
        let due = self.write_down(Some(host), Event::PoweredOff, None);
        self.net.lock().mark_dead(host);
        self.wire.forget_unsent(&mut self.net.lock(), host, self.now);
        self.net.lock().power_off(host);
        self.disks[host.index()].power_off();
        self.idle(host);
        self.trigger_all(due, Some(host));
    }

    /// Ends the current life and begins one without a program.
    fn idle(&mut self, host: HostId) {
        self.slot(host).life = Life::Idle;
        let name = self.spec.hosts[host.index()].name.as_str();
        sandbox::set_outside_host(Some(host.index()));
        self.sim.crash(name);
        sandbox::set_outside_host(None);
        self.sim.bounce(name);
    }

    fn start(&mut self, host: HostId) {
        self.prepare_life(host);
        self.record(Some(host), Event::Started, None);
        self.apply_host_faults(host);
        self.sim.bounce(self.spec.hosts[host.index()].name.as_str());
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
        let mut effects = std::mem::take(&mut self.wire.effects);
        let of_disks = self.disks.iter().flat_map(|disk| disk.effects());
        for (fault, count) in of_disks.chain(std::mem::take(&mut self.net.lock().effects)) {
            effects[fault as usize] += count;
        }
        for (fault, count) in &self.net.lock().all_host_faults.effects {
            effects[*fault as usize] += count;
        }
        (effects, self.failures, self.trigger_counts)
    }
}
