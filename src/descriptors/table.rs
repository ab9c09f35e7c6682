//! The numbers of descriptors: a table for each process of each host.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::description::Description;
use crate::alive::AliveFlag;
use crate::sandbox::{self, Errno, FIRST_DESCRIPTOR};
use crate::trace::HostId;

/// The most descriptors of one process.
const MOST: usize = 1 << 14;

/// How many processes of a host have tables of their own at the same time. The runtime of the next process is built before
/// that of the last one is dropped.
const PROCESSES: usize = 4;

/// The place of numbers that belong to no process: above those of all hosts.
const SHARED_FROM: i32 = i32::MAX - MOST as i32;

/// The open descriptions of one process, by number.
#[derive(Debug, Default)]
struct Process {
    alive: AliveFlag,
    open: Vec<Option<Arc<Description>>>,
    /// How many of them are of this process, and the most there have been. The others are what an earlier process has
    /// leaked, which keeps its number.
    held: usize,
    most: usize,
}

/// The processes of one host.
#[derive(Debug, Default)]
struct Host {
    /// The number of processes so far.
    processes: usize,
    tables: [Process; PROCESSES],
}

#[derive(Debug)]
struct State {
    hosts: Vec<Host>,
    /// The host whose process was the last to begin: it makes what is made outside of any host, as runtimes are.
    latest: usize,
}

/// All tables.
#[derive(Debug)]
pub(super) struct Table(Mutex<State>);

/// The process that makes a descriptor.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    pub(super) host: HostId,
    pub(super) alive: AliveFlag,
    process: usize,
    /// Whether no program runs, but a runtime is built.
    pub(super) is_outside: bool,
}

/// Descriptors that libraries make once in an operating system's process, for all programs and runs: tokio does so for
/// signals, when the first runtime is built.
fn shared() -> MutexGuard<'static, Vec<Arc<Description>>> {
    static SHARED: OnceLock<Mutex<Vec<Arc<Description>>>> = OnceLock::new();
    SHARED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host, process and place that a number stands for.
fn parts(number: i32) -> (usize, usize, usize) {
    let number = (number - FIRST_DESCRIPTOR) as usize;
    (number / (MOST * PROCESSES), number / MOST % PROCESSES, number % MOST)
}

fn number(host: HostId, process: usize, place: usize) -> i32 {
    FIRST_DESCRIPTOR + ((host.index() * PROCESSES + process % PROCESSES) * MOST + place) as i32
}

impl Table {
    pub(super) fn new(hosts: usize) -> Table {
        Table(Mutex::new(State { hosts: (0..hosts).map(|_| Host::default()).collect(), latest: 0 }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin_process(&self, host: HostId, alive: AliveFlag) {
        let mut state = self.lock();
        state.latest = host.index();
        let host = &mut state.hosts[host.index()];
        host.processes += 1;
        let process = &mut host.tables[host.processes % PROCESSES];
        (process.alive, process.held, process.most) = (alive, 0, 0);
    }

    /// The process whose code runs now.
    pub(super) fn maker(&self) -> Maker {
        let current = sandbox::current_host();
        let state = self.lock();
        let index = current.unwrap_or(state.latest);
        let host = &state.hosts[index];
        let alive = host.tables[host.processes % PROCESSES].alive.clone();
        Maker { host: HostId(index as u16), alive, process: host.processes, is_outside: current.is_none() }
    }

    /// Gives a description the lowest free number of a process.
    pub(super) fn insert(&self, maker: &Maker, description: Arc<Description>) -> Result<i32, Errno> {
        let mut state = self.lock();
        let Process { open, held, most, alive } =
            &mut state.hosts[maker.host.index()].tables[maker.process % PROCESSES];
        let place = open.iter().position(Option::is_none).unwrap_or(open.len());
        if place >= MOST {
            return Err(libc::EMFILE);
        }
        if place == open.len() {
            open.push(None);
        }
        if description.alive.is_same(alive) {
            *held += 1;
            *most = (*most).max(*held);
        }
        open[place] = Some(description);
        Ok(number(maker.host, maker.process, place))
    }

    /// Gives a description a number that all programs and runs of this operating system's process share.
    pub(super) fn share(description: Arc<Description>) -> i32 {
        let mut shared = shared();
        shared.push(description);
        SHARED_FROM + (shared.len() - 1) as i32
    }

    pub(super) fn get(&self, number: i32) -> Result<Arc<Description>, Errno> {
        if number >= SHARED_FROM {
            return shared().get((number - SHARED_FROM) as usize).cloned().ok_or(libc::EBADF);
        }
        let (host, process, place) = parts(number);
        let state = self.lock();
        let host = state.hosts.get(host).ok_or(libc::EBADF)?;
        host.tables[process].open.get(place).cloned().flatten().ok_or(libc::EBADF)
    }

    /// Frees a number; the caller drops the description when nothing is locked.
    pub(super) fn remove(&self, number: i32) -> Result<Arc<Description>, Errno> {
        if number >= SHARED_FROM {
            return self.get(number);
        }
        let (host, process, place) = parts(number);
        let mut state = self.lock();
        let host = state.hosts.get_mut(host).ok_or(libc::EBADF)?;
        let Process { open, held, alive, .. } = &mut host.tables[process];
        let removed = open.get_mut(place).and_then(Option::take).ok_or(libc::EBADF)?;
        if removed.alive.is_same(alive) {
            *held -= 1;
        }
        Ok(removed)
    }

    /// What the process of a host has open, and the most that it has had open at once.
    pub(super) fn held(&self, host: HostId) -> (Vec<Arc<Description>>, usize) {
        let state = self.lock();
        let host = &state.hosts[host.index()];
        let process = &host.tables[host.processes % PROCESSES];
        let is_own = |description: &&Arc<Description>| description.alive.is_same(&process.alive);
        (process.open.iter().flatten().filter(is_own).cloned().collect(), process.most)
    }
}
