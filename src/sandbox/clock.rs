//! Virtual time as the code under test sees it: per host, never backwards. It knows nothing of the C library.
//!
//! Every host of the simulated world runs on a paused tokio runtime of its own, and inside it monotonic time is exactly
//! that runtime's tokio time. Outside any runtime it is the start of the step, because that is what a new runtime takes
//! as its beginning: it then sleeps for one millisecond to round its clock, so that virtual time `v` is
//! `ORIGIN + ROUNDING + v` in every runtime, whenever that was made.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Id};

/// What the monotonic clock shows when a run starts. Not zero, so that code may subtract from an `Instant`.
pub(super) const ORIGIN: u64 = 1_000_000_000_000;
/// How long a new runtime sleeps to round its clock.
pub(super) const ROUNDING: u64 = 1_000_000;
/// So many clock reads without a step or a change of time are a spin: code that waits for a clock that stands still.
pub(super) const SPIN_LIMIT: u32 = 100_000;

/// The clock of one host, or of what runs outside any host.
struct HostClock {
    runtime: Cell<Option<Id>>,
    /// Whether the runtime's time stands still by itself. A running clock must not be asked: it holds its lock while it
    /// asks the operating system, which is us.
    paused: Cell<bool>,
    /// Tokio time, in nanoseconds since the origin of `Instant`s, at virtual time zero.
    zero: Cell<u64>,
    /// The latest virtual time that was shown, or that a blocking wait ran ahead to. Time is never less than this,
    /// which also makes what a wait added vanish once tokio catches up.
    floor: Cell<u64>,
    /// How far the wall clock is off.
    wall_offset: Cell<i64>,
    /// What is wrong with it beside that.
    wall_error: Cell<WallError>,
    /// How often it was read while that made it show another time.
    wrong_reads: Cell<u64>,
}

/// How a wall clock is wrong, beside the offset that it always has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallError {
    /// The virtual time from which on it drifts.
    pub since: Duration,
    /// By how much it is off at that time, in nanoseconds.
    pub nanos: i64,
    /// How many microseconds it is too fast in a second; too slow if negative.
    pub parts_per_million: i64,
}

impl WallError {
    /// By how much it is off at a virtual time, in nanoseconds.
    #[inline]
    pub fn at(&self, virtual_nanos: u64) -> i64 {
        if self.parts_per_million == 0 {
            return self.nanos;
        }
        let elapsed = virtual_nanos.saturating_sub(nanos(self.since));
        let drift = i128::from(elapsed) * i128::from(self.parts_per_million) / 1_000_000;
        self.nanos.saturating_add(drift.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

/// What a look at the clock found.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// Index of the host, or the number of hosts for what runs outside any host.
    pub(super) slot: usize,
    /// Virtual time in nanoseconds.
    pub(super) virtual_nanos: u64,
    /// What to add to virtual time for the monotonic clock.
    frame: u64,
}

impl Look {
    /// The monotonic clock in nanoseconds.
    pub(super) fn monotonic(self) -> u64 {
        self.virtual_nanos.saturating_add(self.frame)
    }

    /// The virtual time at which the monotonic clock shows `monotonic`.
    pub(super) fn virtual_at(self, monotonic: u64) -> u64 {
        monotonic.saturating_sub(self.frame)
    }
}

/// All clocks of one run.
pub(super) struct Clocks {
    /// The `Instant` that shows [`ORIGIN`].
    anchor: Cell<Instant>,
    /// Whether `Instant::now` asks these clocks. Where it does not, a runtime's beginning has to be measured.
    interposed: bool,
    step: Cell<u64>,
    outside_host: Cell<Option<usize>>,
    hosts: Vec<HostClock>,
    last_runtime: Cell<Option<(Id, usize)>>,
    /// How often the making of a runtime reads the clock, and how many of these reads are still to come.
    reads_of_new_runtime: Cell<u32>,
    new_runtime_reads_left: Cell<u32>,
    /// Set while the clocks themselves are set up: every read then shows [`ORIGIN`].
    starting: Cell<bool>,
    /// Set while code runs that must not be answered by asking tokio again.
    quiet: Cell<bool>,
    reads: Cell<u32>,
    last_read: Cell<(usize, u64)>,
    spin_jump: Cell<u64>,
}

impl Clocks {
    /// Clocks for `hosts` hosts at virtual time zero.
    pub(super) fn new(hosts: usize, interposed: bool) -> Clocks {
        let host = || HostClock {
            runtime: Cell::new(None),
            paused: Cell::new(true),
            zero: Cell::new(ORIGIN + ROUNDING),
            floor: Cell::new(0),
            wall_offset: Cell::new(0),
            wall_error: Cell::new(WallError::default()),
            wrong_reads: Cell::new(0),
        };
        Clocks {
            anchor: Cell::new(Instant::now()),
            interposed,
            step: Cell::new(0),
            outside_host: Cell::new(None),
            hosts: (0..=hosts).map(|_| host()).collect(),
            last_runtime: Cell::new(None),
            reads_of_new_runtime: Cell::new(0),
            new_runtime_reads_left: Cell::new(0),
            starting: Cell::new(false),
            quiet: Cell::new(false),
            reads: Cell::new(0),
            last_read: Cell::new((usize::MAX, 0)),
            spin_jump: Cell::new(1_000_000_000),
        }
    }

    /// To be called once, as soon as these clocks are the ones that answer. Finds the instant of the origin, and how
    /// often the making of a runtime reads the clock, by which [`Clocks::read_monotonic`] tells it from a destructor.
    pub(super) fn start(&self) {
        const MANY: u32 = 1_000;
        if !self.interposed {
            return;
        }
        self.starting.set(true);
        self.new_runtime_reads_left.set(MANY);
        self.anchor.set(Instant::now());
        let before = self.new_runtime_reads_left.get();
        drop(Builder::new_current_thread().enable_time().start_paused(true).build());
        self.reads_of_new_runtime.set(before - self.new_runtime_reads_left.replace(0));
        self.starting.set(false);
    }

    /// The slot of what runs outside any host.
    pub(super) fn nobody(&self) -> usize {
        self.hosts.len() - 1
    }

    /// `slot` as a host's index.
    pub(super) fn host_of(&self, slot: usize) -> Option<usize> {
        (slot < self.nobody()).then_some(slot)
    }

    pub(super) fn set_step(&self, start: Duration) {
        self.step.set(nanos(start));
        self.reads.set(0);
    }

    pub(super) fn set_outside_host(&self, host: Option<usize>) {
        self.outside_host.set(host.filter(|host| *host < self.nobody()));
        self.new_runtime_reads_left.set(if host.is_some() { self.reads_of_new_runtime.get() } else { 0 });
    }

    pub(super) fn set_wall_offset(&self, host: usize, offset: i64) {
        self.hosts[host].wall_offset.set(offset);
    }

    pub(super) fn set_wall_error(&self, host: usize, error: WallError) {
        self.hosts[host].wall_error.set(error);
    }

    pub(super) fn take_wrong_reads(&self, host: usize) -> u64 {
        self.hosts[host].wrong_reads.take()
    }

    /// Takes the current runtime as that of `host`. False if that runtime's time is not paused.
    pub(super) fn enter_host(&self, host: usize) -> bool {
        let id = Handle::current().id();
        // The identity of a runtime may be used again once the runtime is gone.
        for other in &self.hosts {
            if other.runtime.get() == Some(id) {
                other.runtime.set(None);
            }
        }
        let clock = &self.hosts[host];
        clock.runtime.set(Some(id));
        self.last_runtime.set(Some((id, host)));
        // A paused clock does not ask for the time; one that runs does, and `quiet` keeps us from asking it in turn.
        let reads_before = self.reads.get();
        self.reads.set(0);
        let was_quiet = self.quiet.replace(true);
        let tokio_now = self.instant_nanos(tokio::time::Instant::now().into_std());
        self.quiet.set(was_quiet);
        clock.paused.set(self.reads.replace(reads_before) == 0);
        if !self.interposed {
            clock.zero.set(tokio_now.saturating_sub(self.step.get()));
        }
        clock.paused.get()
    }

    /// The host that runs now: by its runtime, or the one whose destructors run outside any.
    pub(super) fn current_slot(&self) -> usize {
        match Handle::try_current() {
            Ok(handle) => self.slot_of(handle.id()),
            Err(_) => None,
        }
        .or(self.outside_host.get())
        .unwrap_or(self.nobody())
    }

    /// What the clock of whoever asks shows. Not counted as a read.
    pub(super) fn look(&self) -> Look {
        if self.quiet.get() {
            let slot = self.last_read.get().0.min(self.nobody());
            return Look { slot, virtual_nanos: self.hosts[slot].floor.get(), frame: ORIGIN + ROUNDING };
        }
        let outside = self.outside_host.get();
        let (slot, found, frame) = match Handle::try_current() {
            Ok(handle) => match self.slot_of(handle.id()) {
                Some(slot) if self.hosts[slot].paused.get() => {
                    drop(handle);
                    let clock = &self.hosts[slot];
                    let tokio_now = self.instant_nanos(tokio::time::Instant::now().into_std());
                    (slot, tokio_now.saturating_sub(clock.zero.get()), clock.zero.get())
                }
                Some(slot) => (slot, self.step.get(), ORIGIN + ROUNDING),
                None => (outside.unwrap_or(self.nobody()), self.step.get(), ORIGIN + ROUNDING),
            },
            Err(_) => match outside {
                Some(slot) => (slot, self.step.get(), ORIGIN + ROUNDING),
                None => (self.nobody(), self.step.get(), ORIGIN),
            },
        };
        let floor = &self.hosts[slot].floor;
        let virtual_nanos = found.max(floor.get());
        floor.set(virtual_nanos);
        Look { slot, virtual_nanos, frame }
    }

    /// The latest time that `slot` is known to have reached, without asking tokio.
    pub(super) fn last_known(&self, slot: usize) -> u64 {
        self.hosts[slot].floor.get().max(self.step.get())
    }

    /// The monotonic clock for code that asks for it. `Err` is a spin.
    #[inline]
    pub(super) fn read_monotonic(&self) -> Result<u64, usize> {
        let left = self.new_runtime_reads_left.get();
        if left > 0 && (self.starting.get() || Handle::try_current().is_err()) {
            // When a machine crashes, its next runtime is made before the destructors run. It must begin at the start
            // of the step, even if the host's clock is past that.
            self.new_runtime_reads_left.set(left - 1);
            return Ok(ORIGIN.saturating_add(self.step.get()));
        }
        self.counted().map(Look::monotonic)
    }

    /// The wall clock in nanoseconds since `epoch` began, for code that asks for it. `Err` is a spin.
    #[inline]
    pub(super) fn read_wall(&self, epoch: u64) -> Result<u64, usize> {
        let look = self.counted()?;
        let clock = &self.hosts[look.slot];
        let wall = epoch.saturating_add(look.virtual_nanos).saturating_add_signed(clock.wall_offset.get());
        let error = clock.wall_error.get().at(look.virtual_nanos);
        if error != 0 {
            clock.wrong_reads.set(clock.wrong_reads.get() + 1);
        }
        Ok(wall.saturating_add_signed(error))
    }

    fn counted(&self) -> Result<Look, usize> {
        let look = self.look();
        let read = (look.slot, look.virtual_nanos);
        if self.last_read.replace(read) != read {
            self.reads.set(1);
            return Ok(look);
        }
        let reads = self.reads.get() + 1;
        self.reads.set(reads);
        if reads < SPIN_LIMIT { Ok(look) } else { Err(look.slot) }
    }

    /// Lets a spinning loop end where the process cannot: each time the host's clock jumps twice as far.
    pub(super) fn jump_ahead(&self, slot: usize) {
        let jump = self.spin_jump.get();
        self.spin_jump.set(jump.saturating_mul(2).min(1 << 50));
        self.reads.set(0);
        let floor = &self.hosts[slot].floor;
        floor.set(floor.get().saturating_add(jump));
    }

    /// Moves the clock of `slot` to `virtual_nanos` if that is ahead: a blocking wait took that long.
    pub(super) fn run_ahead(&self, slot: usize, virtual_nanos: u64) {
        let floor = &self.hosts[slot].floor;
        floor.set(floor.get().max(virtual_nanos));
    }

    /// Runs nothing that asks tokio until the previous value is put back.
    pub(super) fn set_quiet(&self, quiet: bool) -> bool {
        self.quiet.replace(quiet)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.get()
    }

    #[inline]
    fn slot_of(&self, id: Id) -> Option<usize> {
        if let Some((last, slot)) = self.last_runtime.get()
            && last == id
        {
            return Some(slot);
        }
        let slot = self.hosts.iter().position(|host| host.runtime.get() == Some(id))?;
        self.last_runtime.set(Some((id, slot)));
        Some(slot)
    }

    #[inline]
    fn instant_nanos(&self, instant: Instant) -> u64 {
        ORIGIN.saturating_add(nanos(instant.saturating_duration_since(self.anchor.get())))
    }
}

/// A duration in whole nanoseconds; 584 years are enough for any run.
#[inline]
pub(super) fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}
