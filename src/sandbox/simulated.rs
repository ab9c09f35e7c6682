//! The state of a simulating thread: its clocks, its entropy, its escapes and its panics. Hooks and the world share it.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::{Arc, Once};
use std::time::Duration;

use super::clock::{Clocks, ORIGIN, SPIN_LIMIT, WallError, nanos};
use super::descriptors::Descriptors;
use super::notes::{Notes, PanicNote};
use super::platform;
use super::recorded::{Recorded, finish};
use super::resting::Jumps;
use crate::seed::Seed;

/// The inputs that determine what a run sees of clocks, entropy and hosts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The seed that all entropy is derived from.
    pub seed: Seed,
    /// The wall clock's time at virtual time zero, since the Unix epoch.
    pub epoch: Duration,
    /// The names of the hosts. Elsewhere, a host is identified by its index in this list.
    pub hosts: Vec<String>,
    /// The escapes that the scenario allows: names of kinds, or texts in their details.
    pub allowed_escapes: Vec<String>,
}

/// The state of the run on this thread.
pub(super) struct Simulation {
    settings: Settings,
    epoch: u64,
    pub(super) clocks: Clocks,
    /// How many requests for entropy each host has made; the last entry counts those made outside any host.
    requests: Vec<Cell<u64>>,
    /// The sandbox's own requests for entropy, counted apart so that they do not shift what the run sees.
    own_requests: Cell<u64>,
    /// How many threads this one has started. If there are any, a timed wait really waits, as they may end it.
    pub(super) threads: Cell<u32>,
    pub(super) escapes: RefCell<Vec<Recorded>>,
    panics: RefCell<Vec<PanicNote>>,
    /// For each host, whether its program was killed but not dropped yet.
    dead: Vec<Cell<bool>>,
    /// Who answers for descriptors, if the scenario asks for them.
    pub(super) descriptors: OnceCell<Arc<dyn Descriptors>>,
    /// The threads that programs have started, if these take turns.
    pub(super) turns: platform::Turns,
    /// How hosts are run, if not for steps.
    pub(super) jumps: Jumps,
    /// For each host, how many of its processes were killed.
    ended_lives: Vec<Cell<u32>>,
}

thread_local! {
    // A plain pointer without a destructor, because hooks may read it at any time in a thread's life.
    static SIMULATION: Cell<*const Simulation> = const { Cell::new(std::ptr::null()) };
}

/// The simulation of this thread, if there is one.
#[inline]
pub(super) fn simulation<'a>() -> Option<&'a Simulation> {
    // SAFETY: `enter` stores a pointer from a box that only `leave` frees, on this same thread. No caller in this
    // module keeps the reference after it returns, and no hook calls `leave`.
    unsafe { SIMULATION.get().as_ref() }
}

/// Lets this thread see a simulation, or none. Threads that programs have started do while they have a turn.
pub(super) fn set_simulation(simulation: *const Simulation) {
    SIMULATION.set(simulation);
}

/// Begins the simulation of this thread.
pub(super) fn enter(settings: Settings) {
    assert!(!is_simulating(), "this thread already simulates: call leave() before the next enter()");
    record_panics();
    platform::begin(settings.seed);
    let hosts = settings.hosts.len();
    let simulation = Box::new(Simulation {
        epoch: nanos(settings.epoch),
        clocks: Clocks::new(hosts, platform::INTERPOSES, settings.seed.decide("start of the clock", &[]) % 1_000),
        requests: (0..=hosts).map(|_| Cell::new(0)).collect(),
        own_requests: Cell::new(0),
        threads: Cell::new(0),
        escapes: RefCell::new(Vec::new()),
        panics: RefCell::new(Vec::new()),
        dead: (0..hosts).map(|_| Cell::new(false)).collect(),
        descriptors: OnceCell::new(),
        turns: platform::Turns::default(),
        jumps: Jumps::default(),
        ended_lives: (0..=hosts).map(|_| Cell::new(0)).collect(),
        settings,
    });
    let simulation: &Simulation = Box::leak(simulation);
    SIMULATION.set(simulation);
    simulation.clocks.start();
    platform::show_position(None, 0);
}

/// Runs this on a part of the stack that depends on the seed, so that code that takes addresses for entropy sees other ones
/// with each seed. Elsewhere than in the child of a zygote, addresses are chance anyway.
pub(crate) fn on_seeded_stack<T>(seed: Seed, run: impl FnOnce() -> T) -> T {
    /// How far the stack moves at most, in steps of its alignment.
    const STEPS: u64 = 256;
    let mut run = Some(run);
    let mut result = None;
    platform::on_moved_stack((seed.decide("place of the stack", &[]) % STEPS) as usize, &mut || {
        result = run.take().map(|run| run());
    });
    result.expect("it has run")
}

/// Stops simulating on this thread. Returns what was recorded; empty if the thread did not simulate.
pub fn leave() -> Notes {
    leave_with(true)
}

/// The same. `shows_backtraces` tells whether somebody will read the backtraces of escapes, which take long to write.
pub(crate) fn leave_with(shows_backtraces: bool) -> Notes {
    let pointer = SIMULATION.replace(std::ptr::null());
    if pointer.is_null() {
        return Notes::default();
    }
    // SAFETY: the pointer came from `Box::leak` in `enter`, and the thread-local no longer holds it.
    let simulation = unsafe { Box::from_raw(pointer.cast_mut()) };
    Notes { escapes: finish(simulation.escapes.into_inner(), shows_backtraces), panics: simulation.panics.into_inner() }
}

/// Whether this thread simulates.
pub fn is_simulating() -> bool {
    simulation().is_some()
}

/// Sets the virtual time at which the coming step starts, which is also the time outside any host's runtime.
pub fn set_step(start: Duration) {
    if let Some(simulation) = simulation() {
        simulation.clocks.set_step(start);
        platform::show_position(None, nanos(start));
    }
}

/// Sets the host whose destructors run now, outside any runtime. Call it right before turmoil's `crash` or `bounce`,
/// and with `None` afterwards. The first clock reads after this call count as those of the new runtime, which begins at
/// the start of the step; all later ones count as the host's own.
pub fn set_outside_host(host: Option<usize>) {
    if let Some(simulation) = simulation() {
        simulation.clocks.set_outside_host(host);
    }
}

/// Registers the current tokio runtime as that of `host`. Returns whether its time is paused; true outside a
/// simulation.
pub(super) fn enter_host(host: usize) -> bool {
    let Some(simulation) = simulation() else { return true };
    assert!(host < simulation.settings.hosts.len(), "there is no host number {host}");
    let is_paused = simulation.clocks.enter_host(host);
    platform::show_position(Some(host), simulation.clocks.last_known(host));
    is_paused
}

/// Sets the offset of `host`'s wall clock from virtual time, in nanoseconds.
///
/// # Panics
/// For a host that [`Settings::hosts`] does not name.
pub fn set_wall_offset(host: usize, nanos: i64) {
    if let Some(simulation) = simulation() {
        assert!(host < simulation.settings.hosts.len(), "there is no host number {host}");
        simulation.clocks.set_wall_offset(host, nanos);
    }
}

/// Sets whether the program of this host is dead: what a dead program logs, and its panics, are ignored.
pub fn set_dead(host: usize, is_dead: bool) {
    if let Some(dead) = simulation().and_then(|simulation| simulation.dead.get(host)) {
        dead.set(is_dead);
    }
    if let Some(ended) = simulation().and_then(|simulation| simulation.ended_lives.get(host))
        && is_dead
    {
        ended.set(ended.get() + 1);
    }
}

/// The run is over: threads of programs wait for nothing more, so that their runtimes can be dropped. Returns whether they
/// can: not if some thread still waits for a lock.
pub fn end_lives() -> bool {
    let Some(simulation) = simulation() else { return true };
    simulation.ended_lives.iter().for_each(|ended| ended.set(ended.get() + 1));
    !simulation.turns.has_waits_for_locks()
}

/// Whether this code runs on the thread that simulates, and not on one that a program has started.
pub fn is_simulating_thread() -> bool {
    !platform::is_thread_of_program()
}

/// Some simulated descriptor has changed: threads that wait for one look again.
pub(crate) fn note_change_of_descriptors() {
    if let Some(simulation) = simulation() {
        simulation.turns.note_change();
    }
}

/// When the next wait of a thread of this host ends by time.
pub(crate) fn next_wake_of_threads(host: usize) -> Option<Duration> {
    let simulation = simulation()?;
    let due = simulation.turns.next_due(Some(host), |slot| simulation.lives_ended(slot));
    due.map(Duration::from_nanos)
}

/// Whether the code that runs now belongs to a program that was killed.
pub fn is_dead() -> bool {
    simulation().is_some_and(Simulation::is_dead)
}

/// Sets the error of `host`'s wall clock from now on, in addition to its offset.
///
/// # Panics
/// For a host that [`Settings::hosts`] does not name.
pub fn set_wall_error(host: usize, error: WallError) {
    if let Some(simulation) = simulation() {
        assert!(host < simulation.settings.hosts.len(), "there is no host number {host}");
        simulation.clocks.set_wall_error(host, error);
    }
}

/// How often code on `host` has read its wall clock while that had an error, since the last call of this function. An
/// offset is not an error.
pub fn take_wrong_reads(host: usize) -> u64 {
    simulation().map_or(0, |simulation| simulation.clocks.take_wrong_reads(host))
}

/// The host whose code runs now, if any.
pub fn current_host() -> Option<usize> {
    let simulation = simulation()?;
    simulation.clocks.host_of(simulation.clocks.current_slot())
}

/// The current virtual time: inside a host's runtime that of the host, otherwise the start of the step. Zero if this
/// thread does not simulate.
pub fn now() -> Duration {
    simulation().map_or(Duration::ZERO, |simulation| Duration::from_nanos(simulation.clocks.peek().virtual_nanos))
}

impl Simulation {
    /// The monotonic clock in nanoseconds.
    #[inline]
    pub(super) fn monotonic(&self) -> u64 {
        loop {
            match self.clocks.read_monotonic() {
                Ok(nanos) => return nanos,
                Err(slot) => self.handle_spin(slot),
            }
        }
    }

    /// The wall clock in nanoseconds since the Unix epoch.
    #[inline]
    pub(super) fn wall(&self) -> u64 {
        loop {
            match self.clocks.read_wall(self.epoch) {
                Ok(nanos) => return nanos,
                Err(slot) => self.handle_spin(slot),
            }
        }
    }

    /// The processor time of the program, in nanoseconds: it has computed for as long as the run lasts.
    pub(super) fn spent(&self) -> u64 {
        self.monotonic().saturating_sub(ORIGIN)
    }

    pub(super) fn seed(&self) -> Seed {
        self.settings.seed
    }

    /// The escapes that the scenario allows.
    pub(super) fn allowed_escapes(&self) -> &[String] {
        &self.settings.allowed_escapes
    }

    /// Notes, beside the panics, that the run cannot go on as it is.
    pub(super) fn note(&self, note: PanicNote) {
        self.panics.borrow_mut().push(note);
    }

    /// Handles a host that waits in a busy loop for a clock that stands still. Ends the process if it is a child of a
    /// zygote. Otherwise notes it like a panic and moves the host's clock ahead so that the loop can end, because
    /// unwinding out of a function of the C library is not possible.
    #[cold]
    fn handle_spin(&self, slot: usize) {
        let at = self.clocks.stands_since();
        platform::end_in_spin(self.clocks.host_of(slot), at);
        let host = self.name_of(slot);
        let message = format!(
            "{} read the clock {SPIN_LIMIT} times while it stood still: it waits in a loop for time to pass",
            host.as_deref().unwrap_or("code outside any host")
        );
        let note = PanicNote { message, location: String::new(), host, at: Duration::from_nanos(at) };
        self.note(note);
        self.clocks.jump_ahead(slot);
    }

    /// Fills `buffer` with the next entropy of the host that runs now.
    pub(super) fn fill(&self, buffer: &mut [u8]) {
        if buffer.is_empty() {
            return;
        }
        let quiet = self.clocks.is_quiet();
        let slot = if quiet { self.clocks.outside_slot() } else { self.clocks.current_slot() };
        let host = self.clocks.host_of(slot).map_or(u64::MAX, |host| host as u64);
        let seed = self.settings.seed;
        let fill = |buffer: &mut [u8], decide: &dyn Fn(u64) -> u64| {
            for (word, chunk) in buffer.chunks_mut(8).enumerate() {
                chunk.copy_from_slice(&decide(word as u64).to_le_bytes()[..chunk.len()]);
            }
        };
        // What a thread draws does not depend on when it has its turns.
        if let Some((thread, n)) = platform::next_request_of_thread().filter(|_| !quiet) {
            fill(buffer, &|word| seed.decide("entropy of a thread", &[host, thread, n, word]));
            return;
        }
        let requests = if quiet { &self.own_requests } else { &self.requests[slot] };
        let label = if quiet { "entropy of the sandbox" } else { "entropy" };
        let n = requests.replace(requests.get() + 1);
        fill(buffer, &|word| seed.decide(label, &[host, n, word]));
    }

    /// The name of the host that runs now.
    pub(super) fn host_name(&self) -> Option<&str> {
        self.clocks.host_of(self.clocks.current_slot()).map(|host| self.settings.hosts[host].as_str())
    }

    /// How many processes of the host in this slot were killed.
    pub(super) fn lives_ended(&self, slot: usize) -> u32 {
        self.ended_lives[slot].get()
    }

    fn is_dead(&self) -> bool {
        let host = self.clocks.host_of(self.clocks.current_slot());
        host.and_then(|host| self.dead.get(host)).is_some_and(Cell::get)
    }

    pub(super) fn name_of(&self, slot: usize) -> Option<String> {
        self.clocks.host_of(slot).map(|host| self.settings.hosts[host].clone())
    }
}

/// Installs a panic hook that notes every panic and then calls the previous hook. Only the first call in a process
/// installs it.
pub(super) fn record_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |information| {
            let simulation = simulation();
            note_panic(simulation, information);
            let was_quiet = simulation.map(|simulation| simulation.clocks.set_quiet(true));
            previous(information);
            if let (Some(simulation), Some(was_quiet)) = (simulation, was_quiet) {
                simulation.clocks.set_quiet(was_quiet);
            }
        }));
    });
}

fn note_panic(simulation: Option<&Simulation>, information: &PanicHookInfo<'_>) {
    if simulation.is_some_and(Simulation::is_dead) {
        return;
    }
    let seen = simulation.map(|simulation| (simulation, simulation.clocks.peek()));
    let note = PanicNote {
        message: message_of(information.payload()),
        location: information.location().map(ToString::to_string).unwrap_or_default(),
        host: seen.and_then(|(simulation, reading)| simulation.name_of(reading.slot)),
        at: seen.map_or(Duration::ZERO, |(_, reading)| Duration::from_nanos(reading.virtual_nanos)),
    };
    let host = seen.and_then(|(simulation, reading)| simulation.clocks.host_of(reading.slot));
    platform::show_panic(host, &note);
    if simulation.is_none() {
        LAST_PANIC.with(|last| *last.borrow_mut() = Some(note.clone()));
    }
    if let Some(Ok(mut panics)) = simulation.map(|simulation| simulation.panics.try_borrow_mut()) {
        panics.push(note);
    }
}

thread_local! {
    /// The last panic of this thread outside a simulation.
    static LAST_PANIC: RefCell<Option<PanicNote>> = const { RefCell::new(None) };
}

/// Takes the note of the last panic of this thread while it did not simulate.
pub(crate) fn last_panic() -> Option<PanicNote> {
    LAST_PANIC.with(|last| last.borrow_mut().take())
}

/// The text of a panic's payload.
pub(super) fn message_of(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "(a panic whose payload is not text)".to_owned(),
    }
}
