//! The state of the world, and the operations on its hosts that the other files of this module share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::engine::{Engine, Events, Hosts, SeededOrder, Turmoil};
use super::life::{Exit, Life, Slot};
use crate::alive::AliveFlag;
use crate::descriptors::{Held, ProcessDescriptors};
use crate::disk::DiskImage;
use crate::fault::{Plan, Topology, Trigger};
use crate::history::SharedRecording;
use crate::host::{HostContext, HostSpec, Own, Shutdown};
use crate::net::{SharedNet, Wire, WireSettings};
use crate::seed::Seed;
use crate::trace::exchange::KeptHeaders;
use crate::trace::{Event, HostId};

/// Where simulated wall clocks start: 2026-01-01T00:00:00Z, in seconds since the Unix epoch.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// Everything that a run depends on, with all settings resolved.
#[derive(Debug)]
pub(crate) struct WorldSpec<'a> {
    pub(crate) engine: Engine,
    pub(crate) seeded_order: SeededOrder,
    pub(crate) seed: Seed,
    pub(crate) hosts: &'a [HostSpec],
    pub(crate) plan: &'a Plan,
    pub(crate) topology: &'a Topology,
    pub(crate) latency: std::ops::Range<Duration>,
    pub(crate) latencies: Vec<(HostId, HostId, std::ops::Range<Duration>)>,
    /// Names for other hosts.
    pub(crate) aliases: Vec<(String, Vec<HostId>)>,
    pub(crate) step: Duration,
    pub(crate) run_for: Duration,
    pub(crate) settle_for: Duration,
    pub(crate) rich: bool,
    /// Whether a rich trace also keeps the bytes of segments.
    pub(crate) keeps_bytes: bool,
    /// Whether checks read exchanges, and which headers of these they need.
    pub(crate) observes: bool,
    pub(crate) kept_headers: KeptHeaders,
    /// Whether the sockets of tokio and of the standard library are simulated, too.
    pub(crate) has_plain_sockets: bool,
    /// The escapes that the scenario allows.
    pub(crate) allowed_escapes: &'a [String],
    /// The trigger points to count, besides those that the plan waits for.
    pub(crate) trigger_counts: &'a [Trigger],
}

/// An entry of the agenda: something that happens at a given time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Begin(usize),
    /// The grace period of a program that was asked to stop is over.
    GraceOver {
        host: HostId,
        life: u32,
    },
    End(usize),
    /// All faults end.
    EndAll,
    /// A supervisor restarts a program that failed.
    Restart {
        host: HostId,
        life: u32,
    },
    /// A supervisor restarts a program that ran out of memory.
    Release {
        host: HostId,
        life: u32,
        fault: usize,
    },
}

/// The start of a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct FaultStart {
    pub(super) at: Duration,
    /// The host at which its trigger point was reached, if it began with one.
    pub(super) here: Option<HostId>,
}

/// A host whose process is about to be paused, or is.
#[derive(Debug)]
pub(super) struct Paused {
    pub(super) is_frozen: bool,
    /// The faults that pause it.
    pub(super) by: Vec<usize>,
}

pub(super) struct World<'a> {
    pub(super) spec: &'a WorldSpec<'a>,
    pub(super) hosts: Hosts<'a>,
    pub(super) recording: SharedRecording,
    pub(super) net: SharedNet,
    /// The descriptors of the programs, if the scenario asks for them.
    descriptors: Option<ProcessDescriptors>,
    pub(super) wire: Wire,
    pub(super) slots: Vec<Arc<Mutex<Slot>>>,
    /// Whether a program has ended by itself since the world last looked.
    pub(super) has_exited: Arc<AtomicBool>,
    pub(super) disks: Vec<DiskImage>,
    /// The faults that keep each host down. A host is started again when the last of them releases it.
    pub(super) downed_by: Vec<Vec<usize>>,
    /// The start of each fault of the plan; `None` if it has not begun.
    pub(super) fault_starts: Vec<Option<FaultStart>>,
    pub(super) agenda: BTreeMap<(Duration, u64), Action>,
    pub(super) agenda_entries: u64,
    pub(super) active: Vec<usize>,
    /// The hosts whose faults have changed since they were last applied.
    pub(super) changed_hosts: BTreeSet<HostId>,
    /// The hosts whose process is paused, or is about to be.
    pub(super) paused: BTreeMap<HostId, Paused>,
    /// The hosts whose output is stalled.
    pub(super) stalled: BTreeSet<HostId>,
    /// The faults that make the wall clock of a host wrong.
    pub(super) wrong_clocks: BTreeMap<HostId, Vec<usize>>,
    /// The hosts and faults for which a read of a wrong clock has been recorded.
    pub(super) reported_clocks: BTreeSet<(HostId, usize)>,
    pub(super) failures: Vec<(HostId, String)>,
    pub(super) trigger_counts: Vec<u32>,
    pub(super) now: Duration,
    /// In a world that jumps: whether nothing has happened since the world last found that nothing follows at once.
    pub(super) is_settled: bool,
}

impl<'a> World<'a> {
    /// Creates a world without hosts, before its start.
    pub(super) fn new(spec: &'a WorldSpec<'a>, recording: SharedRecording, names: Vec<String>) -> World<'a> {
        let settings =
            WireSettings { seed: spec.seed, latency: spec.latency.clone(), latencies: spec.latencies.clone() };
        let net = SharedNet::new(recording.clone(), names);
        net.lock().names.aliases = spec.aliases.iter().cloned().collect();
        // A runtime that runs by events waits in a simulated epoll.
        let has_descriptors = spec.has_plain_sockets || spec.engine == Engine::Events;
        let descriptors = has_descriptors.then(|| ProcessDescriptors::serve(net.clone(), spec.hosts.len()));
        let hosts = match spec.engine {
            Engine::Turmoil => {
                let turmoil = Turmoil::new(spec.seed, spec.step, EPOCH, spec.has_plain_sockets);
                Hosts::Turmoil(Box::new(turmoil))
            }
            Engine::Events => Hosts::Events(Events::new(spec.seed, spec.seeded_order)),
        };
        World {
            spec,
            hosts,
            descriptors,
            recording,
            net,
            wire: Wire::new(&settings, spec.hosts.len(), spec.plan.faults.len()),
            slots: Vec::new(),
            has_exited: Arc::default(),
            disks: (0..spec.hosts.len()).map(|host| DiskImage::new(spec.seed, host as u64)).collect(),
            downed_by: vec![Vec::new(); spec.hosts.len()],
            fault_starts: vec![None; spec.plan.faults.len()],
            agenda: BTreeMap::new(),
            agenda_entries: 0,
            active: Vec::new(),
            changed_hosts: BTreeSet::new(),
            paused: BTreeMap::new(),
            stalled: BTreeSet::new(),
            wrong_clocks: BTreeMap::new(),
            reported_clocks: BTreeSet::new(),
            failures: Vec::new(),
            trigger_counts: Vec::new(),
            now: Duration::ZERO,
            is_settled: false,
        }
    }

    /// Prepares a host so that its next life runs its program.
    pub(super) fn prepare_life(&mut self, id: HostId) {
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
            recording: self.recording.clone(),
            disk: self.disks[id.index()].attach(alive.clone()),
            shutdown: shutdown.clone(),
            run_for: self.spec.run_for,
            settle_for: self.spec.settle_for,
            seed: self.spec.seed,
            own: Own::default(),
        };
        slot.lives += 1;
        self.net.lock().triggered_faults().mark_alive(id, alive.clone());
        slot.alive = alive;
        slot.shutdown = shutdown;
        slot.exit = None;
        slot.life = Life::Program { program: host.program.clone(), context: Box::new(context) };
    }

    /// Records an event and triggers the faults that begin with it.
    pub(super) fn record(&self, host: Option<HostId>, event: Event, text: Option<String>) {
        let due = self.record_deferring_triggers(host, event, text);
        self.trigger_all(due, host);
    }

    /// Records an event and returns the faults that it triggers, for a caller that must complete the event before it
    /// triggers them.
    pub(super) fn record_deferring_triggers(
        &self,
        host: Option<HostId>,
        event: Event,
        text: Option<String>,
    ) -> Vec<u32> {
        let mut recording = self.recording.lock();
        let due = host.map(|host| recording.trigger_points.event(host, &event)).unwrap_or_default();
        recording.trace.push_with(self.now, host, event, |out| out.write_str(text.as_deref().unwrap_or_default()));
        due
    }

    pub(super) fn trigger_all(&self, due: Vec<u32>, host: Option<HostId>) {
        for fault in due {
            self.net.lock().trigger(fault, host.unwrap_or(HostId::UNKNOWN));
        }
    }

    pub(super) fn schedule(&mut self, at: Duration, action: Action) {
        self.agenda_entries += 1;
        self.agenda.insert((at, self.agenda_entries), action);
    }

    pub(super) fn slot(&self, host: HostId) -> MutexGuard<'_, Slot> {
        self.slots[host.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_alive(&self, host: HostId) -> bool {
        let slot = self.slot(host);
        slot.alive.is_set() && slot.exit.is_none()
    }

    /// Handles the programs that returned or failed in the last step.
    pub(super) fn handle_exits(&mut self) {
        // This happens in few steps, and a lock for each host is not free.
        if !self.has_exited.swap(false, Ordering::Relaxed) {
            return;
        }
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
                        Some(delay) => self.schedule(self.now + delay, Action::Restart { host, life }),
                        None => self.failures.push((host, error)),
                    }
                }
            }
        }
    }

    pub(super) fn kill(&mut self, host: HostId, event: Event) {
        self.kill_with(host, event, None);
    }

    /// Kills the process of a host. Its machine closes what the process had open, and idles.
    pub(super) fn kill_with(&mut self, host: HostId, event: Event, text: Option<String>) {
        let due = self.record_deferring_triggers(Some(host), event, text);
        self.net.lock().triggered_faults().mark_dead(host);
        self.net.lock().kill(host);
        self.disks[host.index()].kill();
        self.idle(host);
        self.trigger_all(due, Some(host));
    }

    pub(super) fn power_off(&mut self, host: HostId) {
        let due = self.record_deferring_triggers(Some(host), Event::PoweredOff, None);
        self.net.lock().triggered_faults().mark_dead(host);
        self.wire.forget_unsent(&mut self.net.lock(), host);
        self.net.lock().power_off(host);
        self.disks[host.index()].power_off();
        self.idle(host);
        self.trigger_all(due, Some(host));
    }

    /// Ends the current life and begins one without a program.
    pub(super) fn idle(&mut self, host: HostId) {
        self.end_pause(host);
        self.slot(host).life = Life::Idle;
        self.begin_process(host);
        self.hosts.end_life(host);
        self.begin_process(host);
        self.hosts.begin_idling(host);
    }

    /// The runtime that turmoil builds next is that of a new process of this host.
    pub(super) fn begin_process(&self, host: HostId) {
        if let Some(descriptors) = &self.descriptors {
            descriptors.begin_process(host, self.slot(host).alive.clone());
        }
    }

    /// Records what each process that runs has open.
    pub(super) fn count_descriptors(&self) {
        let Some(descriptors) = self.descriptors.as_ref().filter(|_| self.spec.has_plain_sockets) else { return };
        for host in (0..self.slots.len()).map(|index| HostId(index as u16)).filter(|host| self.is_alive(*host)) {
            let Held { open, most, ended } = descriptors.held(host);
            self.record(Some(host), Event::DescriptorsHeld { open, most, ended }, None);
        }
    }
}
