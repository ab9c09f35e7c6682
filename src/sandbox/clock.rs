//! Virtual time as the code under test sees it: each host has its own, which never goes backwards.
//!
//! Every host of the simulated world runs on its own paused tokio runtime, and inside it monotonic time is exactly that
//! runtime's tokio time. Outside any runtime it is the start of the step, because a new runtime takes that as its start
//! time. The runtime then sleeps for one millisecond to round its clock, so that virtual time `v` is
//! `ORIGIN + ROUNDING + v` in every runtime, no matter when the runtime was built.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Id};

/// The monotonic clock at the start of a run, in nanoseconds. It is not zero, so that code may subtract from an
/// `Instant`.
pub(super) const ORIGIN: u64 = 1_000_000_000_000;
/// How long a new runtime sleeps to round its clock, in nanoseconds.
pub(super) const ROUNDING: u64 = 1_000_000;
/// This many clock reads in a row, without a step or a change of time, count as a spin: code that waits in a busy loop
/// for a clock that stands still.
pub(super) const SPIN_LIMIT: u32 = 100_000;

/// After this many reads that found no change, each further one moves the clock by this many nanoseconds: code that looks
/// for a short while whether time has passed goes on.
const PATIENT_READS: u32 = 10_000;
const CREEP: u64 = 1_000;

/// The clock of one host, or of code outside any host.
struct HostClock {
    runtime: Cell<Option<Id>>,
    /// Whether the runtime's time is paused. A running clock must not be read from here: it holds its lock while it
    /// reads the operating system's clock, and that read ends up here.
    paused: Cell<bool>,
    /// Tokio time at virtual time zero, on the scale of the monotonic clock, in nanoseconds.
    zero: Cell<u64>,
    /// The latest virtual time that was shown or that a blocking wait ran ahead to. Time never goes below this, so the
    /// time that a wait added is absorbed once tokio catches up.
    floor: Cell<u64>,
    /// While the host is frozen, the virtual time that its clock shows.
    frozen: Cell<Option<u64>>,
    /// The wall clock's offset in nanoseconds.
    wall_offset: Cell<i64>,
    /// The wall clock's error in addition to the offset.
    wall_error: Cell<WallError>,
    /// How many reads of the wall clock were changed by the error.
    wrong_reads: Cell<u64>,
}

/// The error of a wall clock, in addition to its constant offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallError {
    /// The virtual time at which the drift starts.
    pub since: Duration,
    /// The error at that time, in nanoseconds.
    pub nanos: i64,
    /// The drift: how many microseconds the clock gains in a second; negative if it loses.
    pub parts_per_million: i64,
}

impl WallError {
    /// The error at a virtual time, in nanoseconds.
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

/// The state of a clock at one instant.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// The index of the host, or the number of hosts for code outside any host.
    pub(super) slot: usize,
    /// Virtual time in nanoseconds.
    pub(super) virtual_nanos: u64,
    /// The monotonic clock minus virtual time.
    frame: u64,
}

impl Reading {
    /// The virtual time at which the monotonic clock reads `monotonic`.
    pub(super) fn virtual_at(self, monotonic: u64) -> u64 {
        monotonic.saturating_sub(self.frame)
    }
}

/// All clocks of one run.
pub(super) struct Clocks {
    /// The `Instant` at [`ORIGIN`], with the shift.
    anchor: Cell<Instant>,
    /// The last two instants that were converted, each with its nanoseconds.
    last_instants: [Cell<(Instant, u64)>; 2],
    /// Whether `Instant::now` reads these clocks. If not, the start time of a runtime has to be measured.
    interposed: bool,
    /// How much more the monotonic clock shows to programs. Code that takes the time for entropy sees another one with
    /// each seed.
    shift: u64,
    step: Cell<u64>,
    outside_host: Cell<Option<usize>>,
    hosts: Vec<HostClock>,
    last_runtime: Cell<Option<(Id, usize)>>,
    /// How often building a runtime reads the clock.
    reads_of_new_runtime: Cell<u32>,
    /// How many of these reads are still to come.
    new_runtime_reads_left: Cell<u32>,
    /// Set while the clocks themselves are set up: every read then returns [`ORIGIN`], with the shift.
    starting: Cell<bool>,
    /// Set while the sandbox's own code runs, or tokio's: reads must then not ask tokio.
    quiet: Cell<bool>,
    reads: Cell<u32>,
    /// When the first of these reads was made.
    stands_since: Cell<u64>,
    last_read: Cell<(usize, u64)>,
    spin_jump: Cell<u64>,
}

impl Clocks {
    /// Clocks for `hosts` hosts at virtual time zero. `shift` moves the monotonic clock, in nanoseconds.
    pub(super) fn new(hosts: usize, interposed: bool, shift: u64) -> Clocks {
        let host = || HostClock {
            runtime: Cell::new(None),
            paused: Cell::new(true),
            zero: Cell::new(ORIGIN + ROUNDING),
            floor: Cell::new(0),
            frozen: Cell::new(None),
            wall_offset: Cell::new(0),
            wall_error: Cell::new(WallError::default()),
            wrong_reads: Cell::new(0),
        };
        let anchor = Instant::now();
        Clocks {
            anchor: Cell::new(anchor),
            last_instants: [Cell::new((anchor, ORIGIN)), Cell::new((anchor, ORIGIN))],
            interposed,
            shift: if interposed { shift } else { 0 },
            step: Cell::new(0),
            outside_host: Cell::new(None),
            hosts: (0..=hosts).map(|_| host()).collect(),
            last_runtime: Cell::new(None),
            reads_of_new_runtime: Cell::new(0),
            new_runtime_reads_left: Cell::new(0),
            starting: Cell::new(false),
            quiet: Cell::new(false),
            reads: Cell::new(0),
            stands_since: Cell::new(0),
            last_read: Cell::new((usize::MAX, 0)),
            spin_jump: Cell::new(1_000_000_000),
        }
    }

    /// Call this once, as soon as the hooks read these clocks. It finds the instant of the origin and counts how often
    /// building a runtime reads the clock, so that [`Clocks::read_monotonic`] can tell these reads from a destructor's.
    pub(super) fn start(&self) {
        const MANY: u32 = 1_000;
        if !self.interposed {
            return;
        }
        self.starting.set(true);
        self.new_runtime_reads_left.set(MANY);
        let anchor = Instant::now();
        self.anchor.set(anchor);
        self.last_instants.iter().for_each(|known| known.set((anchor, ORIGIN)));
        let before = self.new_runtime_reads_left.get();
        drop(Builder::new_current_thread().enable_time().start_paused(true).build());
        self.reads_of_new_runtime.set(before - self.new_runtime_reads_left.replace(0));
        self.starting.set(false);
    }

    /// The slot of code outside any host.
    pub(super) fn outside_slot(&self) -> usize {
        self.hosts.len() - 1
    }

    /// The index of the host in `slot`; `None` outside any host.
    pub(super) fn host_of(&self, slot: usize) -> Option<usize> {
        (slot < self.outside_slot()).then_some(slot)
    }

    pub(super) fn set_step(&self, start: Duration) {
        self.step.set(nanos(start));
        self.reads.set(0);
    }

    pub(super) fn set_outside_host(&self, host: Option<usize>) {
        self.outside_host.set(host.filter(|host| *host < self.outside_slot()));
        self.new_runtime_reads_left.set(if host.is_some() { self.reads_of_new_runtime.get() } else { 0 });
    }

    /// Sets the host that code outside of any runtime belongs to; returns the one before.
    pub(super) fn swap_outside_host(&self, host: Option<usize>) -> Option<usize> {
        self.outside_host.replace(host)
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

    /// Registers the current runtime as that of `host`. Returns whether that runtime's time is paused.
    pub(super) fn enter_host(&self, host: usize) -> bool {
        let id = Handle::current().id();
        // Tokio may reuse the id of a runtime that is gone.
        for other in &self.hosts {
            if other.runtime.get() == Some(id) {
                other.runtime.set(None);
            }
        }
        let clock = &self.hosts[host];
        clock.frozen.set(None);
        clock.runtime.set(Some(id));
        self.last_runtime.set(Some((id, host)));
        // A running clock reads the time from here, a paused one does not. `quiet` keeps that read from asking tokio.
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

    /// Sets whether the time of the host's runtime is paused. Call it before that changes.
    pub(super) fn set_paused(&self, host: usize, is_paused: bool) {
        self.hosts[host].paused.set(is_paused);
    }

    /// Whether the time of the host's runtime is paused.
    pub(super) fn is_paused(&self, host: usize) -> bool {
        self.hosts[host].paused.get()
    }

    /// Lets the host's clock, which must not be paused, show this virtual time, whatever it was. `None` lets it go on.
    pub(super) fn set_frozen(&self, host: usize, virtual_nanos: Option<u64>) {
        self.hosts[host].frozen.set(virtual_nanos);
    }

    /// The slot of the host that runs now: the current runtime's, or that of the host whose destructors run outside
    /// any.
    pub(super) fn current_slot(&self) -> usize {
        match Handle::try_current() {
            Ok(handle) => self.slot_of(handle.id()),
            Err(_) => None,
        }
        .or(self.outside_host.get())
        .unwrap_or(self.outside_slot())
    }

    /// The current state of the running code's clock. Does not count as a read.
    pub(super) fn peek(&self) -> Reading {
        if self.quiet.get() {
            let slot = self.last_read.get().0.min(self.outside_slot());
            return Reading { slot, virtual_nanos: self.hosts[slot].floor.get(), frame: self.frame(ORIGIN + ROUNDING) };
        }
        let outside = self.outside_host.get();
        let (slot, found, frame) = match Handle::try_current() {
            Ok(handle) => match self.slot_of(handle.id()) {
                Some(slot) if self.hosts[slot].paused.get() => return self.peek_paused(slot),
                Some(slot) => match self.hosts[slot].frozen.get() {
                    Some(virtual_nanos) => {
                        return Reading { slot, virtual_nanos, frame: self.frame(ORIGIN + ROUNDING) };
                    }
                    None => return self.peek_running(slot),
                },
                None => (outside.unwrap_or(self.outside_slot()), self.step.get(), ORIGIN + ROUNDING),
            },
            Err(_) => match outside {
                Some(slot) => (slot, self.step.get(), ORIGIN + ROUNDING),
                None => (self.outside_slot(), self.step.get(), ORIGIN),
            },
        };
        self.shown(slot, found, frame)
    }

    /// The same of the current runtime, which must be the paused one of the host in this slot.
    #[inline(always)]
    fn peek_paused(&self, slot: usize) -> Reading {
        self.shown(slot, self.tokio_nanos(slot), self.hosts[slot].zero.get())
    }

    /// The same of the runtime of the host in this slot, whose time runs and is not frozen.
    #[inline(always)]
    fn peek_running(&self, slot: usize) -> Reading {
        self.shown(slot, self.step.get(), ORIGIN + ROUNDING)
    }

    /// A clock at this virtual time, or at what it has already shown.
    #[inline(always)]
    fn shown(&self, slot: usize, found: u64, frame: u64) -> Reading {
        let floor = &self.hosts[slot].floor;
        let virtual_nanos = found.max(floor.get());
        floor.set(virtual_nanos);
        Reading { slot, virtual_nanos, frame: self.frame(frame) }
    }

    /// What the monotonic clock shows to programs where it would show this without a shift.
    #[inline(always)]
    fn frame(&self, nanos: u64) -> u64 {
        nanos.saturating_add(self.shift)
    }

    /// The virtual time of the current runtime, which must be the paused one of this host, by tokio's clock alone.
    #[inline(always)]
    pub(super) fn tokio_nanos(&self, host: usize) -> u64 {
        self.instant_nanos(tokio::time::Instant::now().into_std()).saturating_sub(self.hosts[host].zero.get())
    }

    /// The latest virtual time that `slot` is known to have reached, without asking tokio.
    pub(super) fn last_known(&self, slot: usize) -> u64 {
        self.hosts[slot].floor.get().max(self.step.get())
    }

    /// Reads the monotonic clock for the code under test. `Err` means that the host in this slot spins.
    ///
    /// Tokio itself reads it several times whenever a runtime runs, so nearly all reads come from a host that is not frozen,
    /// and take the short way.
    #[inline(always)]
    pub(super) fn read_monotonic(&self) -> Result<u64, usize> {
        if self.new_runtime_reads_left.get() > 0 || self.quiet.get() {
            return self.read_monotonic_anywhere();
        }
        let Ok(handle) = Handle::try_current() else { return self.read_monotonic_anywhere() };
        let id = handle.id();
        drop(handle);
        let Some(slot) = self.slot_of(id) else { return self.read_monotonic_anywhere() };
        let clock = &self.hosts[slot];
        let Reading { virtual_nanos, frame, .. } = if clock.paused.get() {
            self.peek_paused(slot)
        } else if clock.frozen.get().is_none() {
            self.peek_running(slot)
        } else {
            return self.read_monotonic_anywhere();
        };
        Ok(self.count_read(slot, virtual_nanos)?.saturating_add(frame))
    }

    /// The same, wherever the code runs.
    #[inline(never)]
    fn read_monotonic_anywhere(&self) -> Result<u64, usize> {
        let left = self.new_runtime_reads_left.get();
        if left > 0 && (self.starting.get() || Handle::try_current().is_err()) {
            // After a crash, the host's next runtime is built before the destructors run. It must begin at the start of
            // the step, even if the host's clock is ahead of that.
            self.new_runtime_reads_left.set(left - 1);
            return Ok(self.frame(ORIGIN).saturating_add(self.step.get()));
        }
        let Reading { slot, virtual_nanos, frame } = self.peek();
        Ok(self.count_read(slot, virtual_nanos)?.saturating_add(frame))
    }

    /// Reads the wall clock for the code under test, in nanoseconds since the Unix epoch; `epoch` is its value at
    /// virtual time zero. `Err` means that the host in this slot spins.
    #[inline]
    pub(super) fn read_wall(&self, epoch: u64) -> Result<u64, usize> {
        let Reading { slot, virtual_nanos, .. } = self.peek();
        let virtual_nanos = self.count_read(slot, virtual_nanos)?;
        let clock = &self.hosts[slot];
        let wall = epoch.saturating_add(virtual_nanos).saturating_add_signed(clock.wall_offset.get());
        let error = clock.wall_error.get().at(virtual_nanos);
        if error != 0 {
            clock.wrong_reads.set(clock.wrong_reads.get() + 1);
        }
        Ok(wall.saturating_add_signed(error))
    }

    /// Counts a read that found this, and reads that find no change but that of waiting for one; returns the virtual time
    /// to show. It takes and returns numbers, not a [`Reading`], so that these stay in registers.
    #[inline(always)]
    fn count_read(&self, slot: usize, virtual_nanos: u64) -> Result<u64, usize> {
        let (last_slot, last_nanos) = self.last_read.get();
        if last_slot != slot || last_nanos != virtual_nanos {
            self.last_read.set((slot, virtual_nanos));
            self.reads.set(1);
            self.stands_since.set(virtual_nanos);
            return Ok(virtual_nanos);
        }
        let reads = self.reads.get() + 1;
        self.reads.set(reads);
        if reads > PATIENT_READS { self.read_impatiently(slot, virtual_nanos, reads) } else { Ok(virtual_nanos) }
    }

    /// Moves a clock that code looks at again and again.
    #[cold]
    fn read_impatiently(&self, slot: usize, mut virtual_nanos: u64, reads: u32) -> Result<u64, usize> {
        if !self.quiet.get() {
            virtual_nanos = virtual_nanos.saturating_add(CREEP);
            self.run_ahead(slot, virtual_nanos);
            self.last_read.set((slot, virtual_nanos));
        }
        if reads < SPIN_LIMIT { Ok(virtual_nanos) } else { Err(slot) }
    }

    /// The virtual time since which reads have found no change but that of waiting for one.
    pub(super) fn stands_since(&self) -> u64 {
        self.stands_since.get()
    }

    /// Moves the host's clock ahead so that a busy loop ends where the process cannot be ended. Each jump is twice as
    /// long as the one before.
    pub(super) fn jump_ahead(&self, slot: usize) {
        let jump = self.spin_jump.get();
        self.spin_jump.set(jump.saturating_mul(2).min(1 << 50));
        self.reads.set(0);
        let floor = &self.hosts[slot].floor;
        floor.set(floor.get().saturating_add(jump));
    }

    /// Moves the clock of `slot` ahead to `virtual_nanos`, as after a blocking wait. Never moves it back.
    pub(super) fn run_ahead(&self, slot: usize, virtual_nanos: u64) {
        let floor = &self.hosts[slot].floor;
        floor.set(floor.get().max(virtual_nanos));
    }

    /// Sets whether reads must not ask tokio and nothing is recorded. Returns the previous value, which the caller
    /// restores.
    pub(super) fn set_quiet(&self, quiet: bool) -> bool {
        self.quiet.replace(quiet)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.get()
    }

    /// The runtime of this host runs next.
    pub(super) fn expect(&self, host: usize) {
        if let Some(id) = self.hosts[host].runtime.get() {
            self.last_runtime.set(Some((id, host)));
        }
    }

    #[inline(always)]
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

    /// An instant on the scale of the monotonic clock, without the shift. In a step, each host's clock shows the start of the
    /// step and then its end, so the last two answers are nearly always right.
    #[inline(always)]
    fn instant_nanos(&self, instant: Instant) -> u64 {
        let (known, nanos) = self.last_instants[0].get();
        if known == instant {
            return nanos;
        }
        let (known, nanos) = self.last_instants[1].get();
        if known == instant { nanos } else { self.convert_instant(instant) }
    }

    #[inline(never)]
    fn convert_instant(&self, instant: Instant) -> u64 {
        let converted = ORIGIN.saturating_add(nanos(instant.saturating_duration_since(self.anchor.get())));
        self.last_instants[1].set(self.last_instants[0].replace((instant, converted)));
        converted
    }
}

/// A duration in nanoseconds, saturating at about 584 years.
#[inline(always)]
pub(super) fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}
