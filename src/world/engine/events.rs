//! Hosts that run when there is something for them to do: one queue of moments, ordered by time and then by a hash of the
//! seed, or as the scenario has them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use super::super::life::{Slot, run_program};
use super::SeededOrder;
use crate::sandbox::{self, Parking, Rest};
use crate::seed::Seed;
use crate::trace::HostId;

/// A time at which nothing happens any more.
const NEVER: Duration = Duration::MAX;

/// For how long a busy runtime computes before it is run again, at least.
const COMPUTES_FOR: Duration = Duration::from_micros(100);

/// Of the time for which it has been busy, this part is added: one that only waits for a time by looking at its clock gets
/// there, a little late, and one that would go on for ever is found soon.
const PATIENCE: u32 = 32;

/// A runtime that is busy for this long never rests.
const LONGEST_BUSY: Duration = Duration::from_secs(10);

/// What runs a program.
#[derive(Debug)]
struct Life {
    runtime: Runtime,
    tasks: LocalSet,
    parking: Parking,
}

#[derive(Debug)]
struct Host {
    slot: Arc<Mutex<Slot>>,
    life: Option<Life>,
    /// When the program next has something to do.
    due: Duration,
    /// How often the program has run.
    turns: u64,
    /// Whether it is not run any more: its process is paused, or never rests.
    is_frozen: bool,
    /// Since when its runtime has been busy.
    busy_since: Option<Duration>,
    /// When the kernel next has something to do.
    kernel_due: Duration,
    kernel: Waker,
}

/// Tells that a kernel has more to do than it had.
#[derive(Debug)]
struct KernelWaker {
    host: HostId,
    woken: Arc<Mutex<Vec<HostId>>>,
}

impl Wake for KernelWaker {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.host);
    }
}

/// The hosts of a world, by when they have something to do.
#[derive(Debug)]
pub(in crate::world) struct Events {
    seed: Seed,
    seeded_order: SeededOrder,
    hosts: Vec<Host>,
    /// Moments of programs: the time, the place among those of one time, and the host. One that is not the host's `due`
    /// is out of date.
    programs: BinaryHeap<Reverse<(Duration, u64, u16)>>,
    kernels: BinaryHeap<Reverse<(Duration, u16)>>,
    woken_kernels: Arc<Mutex<Vec<HostId>>>,
    woken: Vec<usize>,
}

impl Events {
    pub(in crate::world) fn new(seed: Seed, seeded_order: SeededOrder) -> Events {
        sandbox::use_jumps();
        Events {
            seed,
            seeded_order,
            hosts: Vec::new(),
            programs: BinaryHeap::new(),
            kernels: BinaryHeap::new(),
            woken_kernels: Arc::default(),
            woken: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, id: HostId, slot: &Arc<Mutex<Slot>>) {
        let kernel = Waker::from(Arc::new(KernelWaker { host: id, woken: self.woken_kernels.clone() }));
        let slot = slot.clone();
        self.hosts.push(Host {
            slot,
            life: None,
            due: NEVER,
            turns: 0,
            is_frozen: false,
            busy_since: None,
            kernel_due: NEVER,
            kernel,
        });
        // Its kernel has told nobody yet what it has to do.
        self.woken_kernels.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        self.begin_life(id);
    }

    pub(super) fn begin_life(&mut self, id: HostId) {
        self.end_life(id);
        let host = &mut self.hosts[id.index()];
        let build = || Builder::new_current_thread().enable_all().build().expect("a runtime needs no more than memory");
        let (runtime, parking) = sandbox::build_runtime(build);
        let (tasks, slot) = (LocalSet::new(), host.slot.clone());
        tasks.spawn_local(async move {
            sandbox::enter_jumping_host(id.index());
            run_program(slot).await;
        });
        host.life = Some(Life { runtime, tasks, parking });
        self.wake(id, sandbox::now());
    }

    pub(super) fn end_life(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        (host.due, host.is_frozen, host.busy_since) = (NEVER, false, None);
        if let Some(Life { runtime, tasks, .. }) = host.life.take() {
            sandbox::as_host(id.index(), || {
                drop(runtime);
                drop(tasks);
            });
        }
    }

    /// Lets the program of a host run at this time, or as soon as the host's own clock allows, unless it runs sooner.
    pub(in crate::world) fn wake(&mut self, id: HostId, at: Duration) {
        let at = at.max(sandbox::time_of(id.index()));
        let host = &mut self.hosts[id.index()];
        if host.life.is_none() || host.due <= at {
            return;
        }
        host.due = at;
        if !host.is_frozen {
            let turns = host.turns;
            let place = match self.seeded_order.decides_at(at) {
                true => self.seed.decide("order of hosts", &[u64::from(id.0), turns]),
                false => u64::from(id.0),
            };
            self.programs.push(Reverse((at, place, id.0)));
        }
    }

    pub(super) fn pause(&mut self, id: HostId) {
        self.hosts[id.index()].is_frozen = true;
    }

    pub(super) fn resume(&mut self, id: HostId, now: Duration) {
        let host = &mut self.hosts[id.index()];
        (host.is_frozen, host.due) = (false, NEVER);
        self.wake(id, now);
    }

    /// Looks what has been woken since the last call. It is `now`.
    pub(in crate::world) fn look(&mut self, now: Duration) {
        let mut woken = std::mem::take(&mut self.woken);
        sandbox::take_woken(&mut woken);
        for host in woken.drain(..) {
            self.wake(HostId(host as u16), now);
        }
        self.woken = woken;
        let mut kernels = self.woken_kernels.lock().unwrap_or_else(PoisonError::into_inner);
        for id in kernels.drain(..) {
            let host = &mut self.hosts[id.index()];
            if host.kernel_due > now {
                host.kernel_due = now;
                self.kernels.push(Reverse((now, id.0)));
            }
        }
    }

    /// The time of the next moment of any program or kernel.
    pub(in crate::world) fn next(&mut self) -> Option<Duration> {
        while let Some(Reverse((at, _, host))) = self.programs.peek().copied()
            && !self.is_current(at, host)
        {
            self.programs.pop();
        }
        while let Some(Reverse((at, host))) = self.kernels.peek().copied()
            && self.hosts[usize::from(host)].kernel_due != at
        {
            self.kernels.pop();
        }
        let program = self.programs.peek().map(|Reverse((at, ..))| *at);
        program.into_iter().chain(self.kernels.peek().map(|Reverse((at, _))| *at)).min()
    }

    fn is_current(&self, at: Duration, host: u16) -> bool {
        let host = &self.hosts[usize::from(host)];
        host.due == at && host.life.is_some() && !host.is_frozen
    }

    /// Takes the next kernel that has something to do by this time, with what it wakes when it has more.
    pub(in crate::world) fn take_kernel(&mut self, now: Duration) -> Option<(HostId, Waker)> {
        while let Some(Reverse((at, host))) = self.kernels.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.kernels.pop();
            let state = &mut self.hosts[usize::from(host)];
            if state.kernel_due == at {
                state.kernel_due = NEVER;
                return Some((HostId(host), state.kernel.clone()));
            }
        }
        None
    }

    /// A kernel next has something to do at this time.
    pub(in crate::world) fn kernel_waits(&mut self, host: HostId, until: Option<Duration>) {
        let Some(until) = until else { return };
        self.hosts[host.index()].kernel_due = until;
        self.kernels.push(Reverse((until, host.0)));
    }

    /// Runs the next program that has something to do by this time, until it rests; returns its host.
    pub(in crate::world) fn run_next(&mut self, now: Duration) -> Option<HostId> {
        loop {
            let Reverse((at, _, id)) = self.programs.peek().copied().filter(|Reverse((at, ..))| *at <= now)?;
            self.programs.pop();
            if !self.is_current(at, id) {
                continue;
            }
            let (id, host) = (HostId(id), &mut self.hosts[usize::from(id)]);
            let Some(Life { runtime, tasks, parking }) = &host.life else { continue };
            host.turns += 1;
            host.due = NEVER;
            let rest = runtime.block_on(tasks.run_until(sandbox::until_rest(id.index(), *parking)));
            let threads = {
                // Threads of earlier lives wait for nothing while a runtime is entered.
                let _entered = runtime.enter();
                // One that could go on now has done so.
                sandbox::next_wake_of_threads(id.index()).filter(|due| *due > now)
            };
            if rest != Rest::Busy {
                host.busy_since = None;
            }
            let until = match rest {
                Rest::Until(until) => Some(until),
                Rest::ForEver => None,
                Rest::Busy => {
                    let since = *host.busy_since.get_or_insert(now);
                    let busy = now.saturating_sub(since);
                    if busy > LONGEST_BUSY {
                        sandbox::note_livelock(id.index(), since);
                        host.is_frozen = true;
                        return Some(id);
                    }
                    Some(now + COMPUTES_FOR.max(busy / PATIENCE))
                }
            };
            if let Some(due) = until.into_iter().chain(threads).min() {
                self.wake(id, due);
            }
            return Some(id);
        }
    }
}
