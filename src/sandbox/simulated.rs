//! The state of a simulating thread: its clocks, its entropy, and what escaped. Hooks and the world meet here.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::Once;
use std::time::Duration;

use super::clock::{Clocks, SPIN_LIMIT, nanos};
use super::notes::{Escape, EscapeKind, Notes, PanicNote};
use super::platform;
use crate::seed::Seed;

/// What a run's view of the world depends on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where all entropy comes from.
    pub seed: Seed,
    /// What the wall clock shows at virtual time zero, since the Unix epoch.
    pub epoch: Duration,
    /// The names of the hosts; elsewhere a host is its index in this list.
    pub hosts: Vec<String>,
}

/// Everything that is known of the run on this thread.
pub(super) struct Simulation {
    settings: Settings,
    epoch: u64,
    pub(super) clocks: Clocks,
    /// How many requests for entropy each host made so far; the last entry is for what runs outside any host.
    requests: Vec<Cell<u64>>,
    /// Entropy that our own recording asked for must not shift what the run sees.
    own_requests: Cell<u64>,
    /// How many threads this one started. While there are any, a timed wait has to wait for them.
    pub(super) threads: Cell<u32>,
    escapes: RefCell<Vec<(Escape, Backtrace)>>,
    panics: RefCell<Vec<PanicNote>>,
}

thread_local! {
    // A plain pointer without a destructor: hooks may read it at any moment of a thread's life.
    static SIMULATION: Cell<*const Simulation> = const { Cell::new(std::ptr::null()) };
    // What escaped from the last simulation of this thread, for a closer look.
    static LAST_ESCAPES: RefCell<Vec<Escape>> = const { RefCell::new(Vec::new()) };
}

/// The simulation of this thread, if there is one.
#[inline]
pub(super) fn simulation<'a>() -> Option<&'a Simulation> {
    // SAFETY: `enter` stores a pointer from a box that only `leave` frees, on this same thread; no caller in this
    // module keeps the reference beyond its own call, and `leave` is not called from within a hook.
    unsafe { SIMULATION.get().as_ref() }
}

/// From now on this thread simulates: clocks and entropy are virtual, and what escapes is recorded.
///
/// # Panics
/// If this thread already simulates.
pub fn enter(settings: Settings) {
    assert!(!is_simulating(), "this thread already simulates: leave() must come before the next enter()");
    platform::keep_hooks_linked();
    record_panics();
    let hosts = settings.hosts.len();
    let simulation = Box::new(Simulation {
        epoch: nanos(settings.epoch),
        clocks: Clocks::new(hosts, platform::INTERPOSES),
        requests: (0..=hosts).map(|_| Cell::new(0)).collect(),
        own_requests: Cell::new(0),
        threads: Cell::new(0),
        escapes: RefCell::new(Vec::new()),
        panics: RefCell::new(Vec::new()),
        settings,
    });
    let simulation: &Simulation = Box::leak(simulation);
    SIMULATION.set(simulation);
    simulation.clocks.start();
    platform::show_position(None, 0);
}

/// This thread stops simulating. Returns what was recorded; nothing if it did not simulate.
pub fn leave() -> Notes {
    let pointer = SIMULATION.replace(std::ptr::null());
    if pointer.is_null() {
        return Notes::default();
    }
    // SAFETY: the pointer came from `Box::into_raw` in `enter`, and the thread-local no longer holds it.
    let simulation = unsafe { Box::from_raw(pointer.cast_mut()) };
    let escapes = simulation.escapes.into_inner().into_iter().map(|(mut escape, backtrace)| {
        escape.backtrace = readable(&backtrace);
        escape
    });
    let notes = Notes { escapes: escapes.collect(), panics: simulation.panics.into_inner() };
    if platform::is_watched() {
        LAST_ESCAPES.replace(notes.escapes.clone());
    }
    notes
}

/// All that escaped from the simulation that this thread left last, also what a scenario allows. Nothing unless
/// [`watch_system_calls`](super::watch_system_calls) was called before it.
pub fn last_escapes() -> Vec<Escape> {
    LAST_ESCAPES.take()
}

/// Whether this thread simulates.
pub fn is_simulating() -> bool {
    simulation().is_some()
}

/// Tells at which virtual time the coming step starts. This is the time outside any host's runtime.
pub fn set_step(start: Duration) {
    if let Some(simulation) = simulation() {
        simulation.clocks.set_step(start);
        platform::show_position(None, nanos(start));
    }
}

/// Tells whose destructors run now, outside any runtime. To be called right before turmoil's `crash` or `bounce`, and
/// with `None` after it: the first clock reads after this call are taken for those of the new runtime, which begins at
/// the start of the step; all later ones are the host's own.
pub fn set_outside_host(host: Option<usize>) {
    if let Some(simulation) = simulation() {
        simulation.clocks.set_outside_host(host);
    }
}

/// Tells that the current tokio runtime is that of `host`. To be called by each life of a program at its first poll.
///
/// # Panics
/// Outside a tokio runtime, and for a host that [`Settings::hosts`] does not name.
pub fn enter_host(host: usize) {
    let Some(simulation) = simulation() else { return };
    assert!(host < simulation.settings.hosts.len(), "there is no host number {host}");
    if !simulation.clocks.enter_host(host) {
        record_escape(EscapeKind::UnpausedRuntime, || "the runtime's time is not paused".to_owned());
    }
    platform::show_position(Some(host), simulation.clocks.last_known(host));
}

/// Sets how far the wall clock of `host` is off, in nanoseconds.
///
/// # Panics
/// For a host that [`Settings::hosts`] does not name.
pub fn set_wall_offset(host: usize, nanos: i64) {
    if let Some(simulation) = simulation() {
        assert!(host < simulation.settings.hosts.len(), "there is no host number {host}");
        simulation.clocks.set_wall_offset(host, nanos);
    }
}

/// The host whose code runs now, if any.
pub fn current_host() -> Option<usize> {
    let simulation = simulation()?;
    simulation.clocks.host_of(simulation.clocks.current_slot())
}

/// The virtual time of whoever asks: inside a host's runtime that host's, otherwise the start of the step. Zero if this
/// thread does not simulate.
pub fn now() -> Duration {
    simulation().map_or(Duration::ZERO, |simulation| Duration::from_nanos(simulation.clocks.look().virtual_nanos))
}

impl Simulation {
    /// The monotonic clock in nanoseconds.
    #[inline]
    pub(super) fn monotonic(&self) -> u64 {
        loop {
            match self.clocks.read_monotonic() {
                Ok(nanos) => return nanos,
                Err(slot) => self.spun(slot),
            }
        }
    }

    /// The wall clock in nanoseconds since the Unix epoch.
    #[inline]
    pub(super) fn wall(&self) -> u64 {
        loop {
            match self.clocks.read_wall(self.epoch) {
                Ok(nanos) => return nanos,
                Err(slot) => self.spun(slot),
            }
        }
    }

    /// A host waits for a clock that stands still. Ends the process if it is a child of a zygote; otherwise the run
    /// gets a note as for a panic, and the host's clock jumps so that the loop can end: unwinding out of a function of
    /// the C library is not possible.
    #[cold]
    fn spun(&self, slot: usize) {
        let at = self.clocks.last_known(slot);
        platform::end_in_spin(self.clocks.host_of(slot), at);
        let host = self.name_of(slot);
        let message = format!(
            "{} read the clock {SPIN_LIMIT} times while it stood still: it waits in a loop for time to pass",
            host.as_deref().unwrap_or("code outside any host")
        );
        let note = PanicNote { message, location: String::new(), host, at: Duration::from_nanos(at) };
        self.panics.borrow_mut().push(note);
        self.clocks.jump_ahead(slot);
    }

    /// Fills `buffer` with this host's next entropy.
    pub(super) fn fill(&self, buffer: &mut [u8]) {
        if buffer.is_empty() {
            return;
        }
        let quiet = self.clocks.is_quiet();
        let slot = if quiet { self.clocks.nobody() } else { self.clocks.current_slot() };
        let requests = if quiet { &self.own_requests } else { &self.requests[slot] };
        let label = if quiet { "entropy of the sandbox" } else { "entropy" };
        let host = self.clocks.host_of(slot).map_or(u64::MAX, |host| host as u64);
        let n = requests.replace(requests.get() + 1);
        for (word, chunk) in buffer.chunks_mut(8).enumerate() {
            let bytes = self.settings.seed.decide(label, &[host, n, word as u64]).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    /// The name of the host that runs now.
    pub(super) fn host_name(&self) -> Option<&str> {
        self.clocks.host_of(self.clocks.current_slot()).map(|host| self.settings.hosts[host].as_str())
    }

    fn name_of(&self, slot: usize) -> Option<String> {
        self.clocks.host_of(slot).map(|host| self.settings.hosts[host].clone())
    }
}

/// What a new record adds to those that there are.
enum Addition {
    /// One more like the one at this place.
    Another(usize),
    /// The first, with its particulars.
    First(String),
    Nothing,
}

/// Records that something left the simulation. Does nothing on a thread that does not simulate.
#[cold]
pub(super) fn record_escape(kind: EscapeKind, detail: impl FnOnce() -> String) {
    record(kind, |escapes, host| {
        match escapes.iter().position(|(escape, _)| escape.kind == kind && escape.host.as_deref() == host) {
            Some(index) => Addition::Another(index),
            None => Addition::First(detail()),
        }
    });
}

/// Records a system call that no hook knows, by what it does: `describe` gives that, `None` if it is of no concern, and
/// is told the particulars of what this host has done before. Does nothing on a thread that does not simulate.
#[cold]
pub(super) fn record_system_call(kind: EscapeKind, describe: impl FnOnce(&[&str]) -> Option<String>) {
    /// More different calls than this of one kind and host are counted with the last.
    const MOST: usize = 16;
    record(kind, |escapes, host| {
        let of_host = || escapes.iter().enumerate().filter(|(_, (escape, _))| escape.host.as_deref() == host);
        let known: Vec<&str> = of_host().map(|(_, (escape, _))| escape.detail.as_str()).collect();
        let Some(detail) = describe(&known) else { return Addition::Nothing };
        let mut alike = of_host().filter(|(_, (escape, _))| escape.kind == kind);
        if let Some((index, _)) = alike.clone().find(|(_, (escape, _))| escape.detail == detail) {
            return Addition::Another(index);
        }
        match alike.nth(MOST - 1) {
            Some((index, _)) => Addition::Another(index),
            None => Addition::First(detail),
        }
    });
}

fn record(kind: EscapeKind, look_up: impl FnOnce(&[(Escape, Backtrace)], Option<&str>) -> Addition) {
    let Some(simulation) = simulation() else { return };
    // Recording itself opens files and takes locks; that is not the run's doing.
    if simulation.clocks.is_quiet() {
        return;
    }
    let look = simulation.clocks.look();
    simulation.clocks.set_quiet(true);
    let host = simulation.name_of(look.slot);
    let mut escapes = simulation.escapes.borrow_mut();
    match look_up(&escapes, host.as_deref()) {
        Addition::Another(index) => escapes[index].0.count += 1,
        Addition::First(detail) => {
            let at = Duration::from_nanos(look.virtual_nanos);
            let escape = Escape { kind, detail, host, at, count: 1, backtrace: String::new() };
            escapes.push((escape, Backtrace::force_capture()));
        }
        Addition::Nothing => {}
    }
    drop(escapes);
    simulation.clocks.set_quiet(false);
}

/// Makes every panic of a simulating thread leave a note, then does what was done with panics before. Once a process.
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
    let look = simulation.map(|simulation| (simulation, simulation.clocks.look()));
    let note = PanicNote {
        message: message_of(information.payload()),
        location: information.location().map(ToString::to_string).unwrap_or_default(),
        host: look.and_then(|(simulation, look)| simulation.name_of(look.slot)),
        at: look.map_or(Duration::ZERO, |(_, look)| Duration::from_nanos(look.virtual_nanos)),
    };
    let host = look.and_then(|(simulation, look)| simulation.clocks.host_of(look.slot));
    platform::show_panic(host, &note);
    if let Some(Ok(mut panics)) = simulation.map(|simulation| simulation.panics.try_borrow_mut()) {
        panics.push(note);
    }
}

/// The text of a panic's payload.
pub(super) fn message_of(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "(a panic whose payload is not text)".to_owned(),
    }
}

/// The frames of a backtrace between the recording, which comes first, and what runs a job, which comes last; without
/// the hooks in between.
fn readable(backtrace: &Backtrace) -> String {
    const MOST_FRAMES: usize = 40;
    let text = backtrace.to_string();
    // A frame is a line with its number and name, and mostly one with its place.
    let mut frames: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match frames.last_mut() {
            Some(frame) if line.trim_start().starts_with("at ") => frame.push(line),
            _ => frames.push(vec![line]),
        }
    }
    let has = |frame: &Vec<&str>, names: &[&str]| frame.iter().any(|line| names.iter().any(|name| line.contains(name)));
    let runs_job = |frame: &Vec<&str>| has(frame, &["/src/sandbox/linux/child.rs", "/src/sandbox/thread.rs"]);
    let is_ours = |frame: &Vec<&str>| {
        has(frame, &["std::backtrace", "std/src/backtrace.rs", "squall::sandbox::", "/src/sandbox/"])
    };
    let frames = frames.iter().take_while(|frame| !runs_job(frame)).filter(|frame| !is_ours(frame));
    frames.take(MOST_FRAMES).flatten().copied().collect::<Vec<_>>().join("\n")
}
