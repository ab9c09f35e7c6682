//! Threads that programs start while their descriptors are simulated: real threads of which one runs at a time.
//!
//! A thread runs only while the simulating thread waits for its host, in `epoll_wait` or for a futex, and keeps its turn
//! until it waits itself, or ends. So when it runs, and what it sees, is decided by the run alone. A wait ends by what
//! another thread does, by a change of a descriptor, or by virtual time.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use libc::{c_int, c_void, pthread_t};

use super::process::shared_status;
use super::raw::call;
use super::switch::hand_over;
use super::threads::{Baton, CURRENT, Next, Thread, Turns, Wait, current};
use super::{blocked, deadlock, preemption, signals};
use crate::sandbox::clock::nanos;
use crate::sandbox::descriptors::Errno;
use crate::sandbox::simulated::{Simulation, set_simulation, simulation};

/// Whether threads take turns: they do if descriptors are simulated.
pub(super) fn take_turns(simulation: &Simulation) -> bool {
    simulation.descriptors.get().is_some()
}

/// Runs the threads of this host that can run until none can; outside of any host, those of all. Returns whether one
/// ran.
fn run(simulation: &Simulation, slot: usize) -> bool {
    if simulation.turns.threads.borrow().is_empty() {
        return false;
    }
    let mut has_run = false;
    while let Turn::OfThread = give_turn(simulation, slot, false) {
        // Older versions of tokio wake themselves by an `eventfd`, which every thread that waits for a change looks at.
        has_run |= !simulation.turns.has_only_looked.take();
    }
    if has_run {
        deadlock::look(simulation, slot);
    }
    has_run
}

/// Whose turn it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    OfThread,
    /// The simulating thread's, which now goes on.
    Simulating,
    OfNobody,
}

/// Gives one turn to a thread of this host that can run, or outside of any host to one of any. The simulating thread may
/// compete for it.
fn give_turn(simulation: &Simulation, slot: usize, simulating_competes: bool) -> Turn {
    let turns = &simulation.turns;
    let is_outside = simulation.clocks.host_of(slot).is_none();
    // Reading the clock also shows it to threads that are not tokio's.
    let now = simulation.clocks.peek().virtual_nanos;
    let is_ready = |thread: &Thread| {
        (is_outside || thread.slot == slot) && turns.is_ready(thread, simulation.lives_ended(thread.slot), now)
    };
    let thread = match turns.choose(simulation.seed(), slot, simulating_competes, is_ready) {
        Next::Thread(thread) => thread,
        Next::Simulating => return Turn::Simulating,
        Next::Nobody => return Turn::OfNobody,
    };
    thread.until.set(None);
    hand_over(simulation, &thread);
    // Who waits longest for a word is woken first.
    let mut threads = turns.threads.borrow_mut();
    if let Some(place) = threads.iter().position(|other| Arc::ptr_eq(other, &thread)) {
        let last = threads.remove(place);
        threads.push(last);
    }
    Turn::OfThread
}

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

/// What a new thread begins with.
struct Beginning {
    thread: Arc<Thread>,
    /// Who receives the thread's log: who receives that of the thread that starts it.
    log: tracing::Dispatch,
    start: Start,
    argument: *mut c_void,
}

/// Creates a thread of a program by `create`, which is given what to start and with which argument.
pub(super) fn begin(
    simulation: &Simulation,
    start: Start,
    argument: *mut c_void,
    create: impl FnOnce(Start, *mut c_void) -> (c_int, pthread_t),
) -> c_int {
    let slot = simulation.clocks.current_slot();
    let thread = Arc::new(Thread {
        slot,
        life: simulation.lives_ended(slot),
        number: simulation.turns.next_number(slot),
        id: Cell::new(0),
        baton: Baton::default(),
        wait: Cell::new(Wait::Nothing),
        until: Cell::new(None),
        yields: Cell::new(0),
        calls: Cell::new(0),
        requests: Cell::new(0),
        question: Cell::new(None),
        place: RefCell::default(),
        simulation: (&raw const *simulation).cast(),
    });
    let log = tracing::dispatcher::get_default(Clone::clone);
    let beginning = Box::into_raw(Box::new(Beginning { thread: thread.clone(), log, start, argument }));
    let (error, id) = create(run_beginning, beginning.cast());
    if error == 0 {
        thread.id.set(id);
        let mut threads = simulation.turns.threads.borrow_mut();
        threads.retain(|thread| thread.wait.get() != Wait::Ended);
        threads.push(thread);
        drop(threads);
        preemption::may_switch(simulation);
    } else {
        // SAFETY: no thread was created that would take it.
        drop(unsafe { Box::from_raw(beginning) });
    }
    error
}

extern "C" fn run_beginning(beginning: *mut c_void) -> *mut c_void {
    // SAFETY: `begin` has made it for this thread.
    let Beginning { thread, log, start, argument } = *unsafe { Box::from_raw(beginning.cast::<Beginning>()) };
    thread.baton.take();
    set_simulation(thread.simulation.cast());
    CURRENT.set(Arc::into_raw(thread));
    // SAFETY: the key exists; any value but null makes its destructor run.
    unsafe { libc::pthread_setspecific(end_key(), std::ptr::without_provenance(1)) };
    let _log = tracing::dispatcher::set_default(&log);
    start(argument)
}

/// The key whose destructor ends a thread's last turn. The destructors of Rust's thread-locals run before those of keys,
/// and what other libraries store under keys is destroyed in rounds, of which this waits for the last.
fn end_key() -> libc::pthread_key_t {
    use std::sync::OnceLock;
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: the pointer is valid, and the destructor has the right type.
        unsafe { libc::pthread_key_create(&raw mut key, Some(end_last_turn)) };
        key
    })
}

unsafe extern "C" fn end_last_turn(round: *mut c_void) {
    /// One less than how often the C library runs destructors (`PTHREAD_DESTRUCTOR_ITERATIONS`).
    const LAST: usize = 3;
    if round.addr() < LAST {
        // SAFETY: the key exists.
        unsafe { libc::pthread_setspecific(end_key(), std::ptr::without_provenance(round.addr() + 1)) };
        return;
    }
    let thread = CURRENT.replace(std::ptr::null());
    if let Some(simulation) = simulation()
        && !thread.is_null()
    {
        set_simulation(std::ptr::null());
        // SAFETY: the pointer came from `Arc::into_raw`, and the thread-local no longer holds it.
        let thread = unsafe { Arc::from_raw(thread) };
        thread.wait.set(Wait::Ended);
        drop(thread);
        simulation.turns.baton.give();
    }
}

/// Waits for the end of a thread of a program; at once for any other. Returns false if it never comes.
pub(super) fn wait_for_end(simulation: &Simulation, id: pthread_t) -> bool {
    let turns = &simulation.turns;
    match current() {
        Some(thread) => {
            if !turns.has_ended(id) {
                thread.park(turns, Wait::End(id), None);
            }
        }
        None => {
            let slot = simulation.clocks.current_slot();
            let started = simulation.clocks.peek().virtual_nanos;
            while !turns.has_ended(id) {
                if !run(simulation, slot) && !pass_time(simulation, slot, None) {
                    deadlock::note_blocked(simulation, slot);
                    return false;
                }
            }
            let ended = simulation.clocks.peek().virtual_nanos;
            blocked::note(simulation, slot, started, ended, "the end of a thread");
        }
    }
    true
}

/// Moves the host's clock to when the next wait of one of its threads ends, but not beyond `until`. Returns whether there
/// is such a wait.
fn pass_time(simulation: &Simulation, slot: usize, until: Option<u64>) -> bool {
    let due = simulation
        .turns
        .next_due(simulation.clocks.host_of(slot), |slot| simulation.lives_ended(slot))
        .filter(|due| until.is_none_or(|until| *due <= until));
    if let Some(due) = due {
        simulation.clocks.run_ahead(slot, due);
    }
    due.is_some()
}

/// How a wait for a futex ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FutexEnd {
    Woken,
    TimedOut,
    /// Nothing can end it.
    Never,
}

/// Waits until another thread wakes whoever waits at this address, or until this virtual time.
pub(super) fn wait_at(simulation: &Simulation, word: usize, is_lock: bool, until: Option<u64>) -> FutexEnd {
    let turns = &simulation.turns;
    if let Some(thread) = current() {
        let wait = if is_lock && until.is_none() { Wait::Lock(word) } else { Wait::Word(word) };
        return if thread.park(turns, wait, until) { FutexEnd::TimedOut } else { FutexEnd::Woken };
    }
    let slot = simulation.clocks.current_slot();
    let started = simulation.clocks.peek().virtual_nanos;
    turns.word.set(word);
    turns.is_woken.set(false);
    turns.yields.set(0);
    let end = loop {
        // Once it is woken, this thread is one of those that can run.
        match give_turn(simulation, slot, turns.is_woken.get()) {
            Turn::OfThread => {}
            Turn::Simulating => break FutexEnd::Woken,
            Turn::OfNobody if pass_time(simulation, slot, until) => {}
            Turn::OfNobody if until.is_some() => break FutexEnd::TimedOut,
            // It looks again, as code that is woken does.
            Turn::OfNobody if others_may_end_it(turns) => break FutexEnd::Woken,
            Turn::OfNobody => {
                deadlock::note_blocked(simulation, slot);
                break FutexEnd::Never;
            }
        }
    };
    turns.word.set(0);
    let ended = match end {
        FutexEnd::Woken => simulation.clocks.peek().virtual_nanos,
        FutexEnd::TimedOut => until.unwrap_or(started),
        FutexEnd::Never => started,
    };
    blocked::note(simulation, slot, started, ended, if is_lock { "a lock" } else { "another thread" });
    end
}

/// Whether a wait that no thread of this simulation can end may yet be ended by another simulation's: tests run several in one
/// process, and these share its locks. Waits for a moment of real time, and up to a second in each run. A run in a process of
/// its own is alone.
fn others_may_end_it(turns: &Turns) -> bool {
    const MOMENTS: u32 = 1_000;
    let waited = turns.waited_for_others.get();
    if shared_status().is_some() || waited == MOMENTS {
        return false;
    }
    turns.waited_for_others.set(waited + 1);
    let moment = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    call!(libc::SYS_nanosleep, &raw const moment, 0);
    true
}

/// Lets others run before this code goes on. Code that does this many times in a row waits for what only time brings.
pub(super) fn give_way(simulation: &Simulation) {
    const MANY: u32 = 100;
    const PAUSE_NANOS: u64 = 1_000_000;
    let turns = &simulation.turns;
    let yields = current().map_or(&turns.yields, |thread| &thread.yields);
    yields.set(yields.get() + 1);
    let is_late = yields.get() >= MANY;
    let until = simulation.clocks.peek().virtual_nanos.saturating_add(PAUSE_NANOS);
    if let Some(thread) = current() {
        if is_late {
            thread.park(turns, Wait::Time, Some(until));
        } else {
            thread.park(turns, Wait::Nothing, None);
        }
        return;
    }
    if turns.threads.borrow().is_empty() {
        return;
    }
    let slot = simulation.clocks.current_slot();
    if is_late {
        turns.yields.set(0);
        run(simulation, slot);
        pass_time(simulation, slot, Some(until));
    } else {
        while give_turn(simulation, slot, true) == Turn::OfThread {}
    }
}

/// Wakes up to `most` threads that wait at this address; returns how many.
pub(super) fn wake_at(simulation: &Simulation, word: usize, most: usize) -> usize {
    simulation.turns.wake(word, most)
}

/// Lets a thread of a program sleep until this virtual time; returns whether this code is one.
pub(super) fn sleep_until(simulation: &Simulation, until: u64) -> bool {
    let Some(thread) = current() else { return false };
    thread.park(&simulation.turns, Wait::Time, Some(until));
    true
}

/// Lets a thread of a program wait until `is_over`, or until the time is over. It looks after every change of a descriptor.
fn wait_for_change(
    simulation: &Simulation,
    thread: &Thread,
    timeout: Option<Duration>,
    mut is_over: impl FnMut() -> Result<bool, Errno>,
) -> Result<(), Errno> {
    let turns = &simulation.turns;
    let until = timeout.map(|timeout| simulation.clocks.peek().virtual_nanos.saturating_add(nanos(timeout)));
    loop {
        let seen = turns.changes.get();
        if is_over()? || timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Ok(());
        }
        if simulation.lives_ended(thread.slot) != thread.life {
            return Err(libc::EBADF);
        }
        let is_late = thread.park(turns, Wait::Change(seen), until);
        turns.has_only_looked.set(true);
        if is_late && until.is_some_and(|until| until <= simulation.clocks.peek().virtual_nanos) {
            return is_over().map(drop);
        }
    }
}

/// Waits until `is_over`, which looks and says so, or until the time is over; `None` waits for ever. A thread of a program
/// waits its turn. The simulating thread lets those of its host run and, where its runtime leaves time to others, lets it
/// pass; what is not there then does not come in this call.
pub(super) fn wait_until(
    timeout: Option<Duration>,
    mut is_over: impl FnMut() -> Result<bool, Errno>,
) -> Result<(), Errno> {
    let simulation = simulation().ok_or(libc::EBADF)?;
    signals::let_in();
    let turns = &simulation.turns;
    if let Some(thread) = current() {
        let result = wait_for_change(simulation, thread, timeout, is_over);
        turns.has_only_looked.set(false);
        return result;
    }
    let is_over_now = is_over()?;
    // Most often a runtime only looks, and there is no thread that could run.
    if is_over_now || (timeout.is_some_and(|timeout| timeout.is_zero()) && turns.threads.borrow().is_empty()) {
        return Ok(());
    }
    let slot = simulation.clocks.current_slot();
    loop {
        if is_over()? {
            return Ok(());
        }
        if run(simulation, slot) {
            // A thread may have begun to wait for a time that is earlier than all that the host waits for.
            if let (Some(descriptors), Some(host)) = (simulation.descriptors.get(), simulation.clocks.host_of(slot)) {
                descriptors.rouse(host);
            }
            continue;
        }
        let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) else { return Ok(()) };
        let now = simulation.clocks.peek().virtual_nanos;
        let end = now.saturating_add(nanos(timeout));
        let due = turns
            .next_due(simulation.clocks.host_of(slot), |slot| simulation.lives_ended(slot))
            .filter(|due| *due < end);
        let until = due.unwrap_or(end);
        match simulation.clocks.host_of(slot) {
            Some(host) if simulation.clocks.is_paused(host) => advance(until.saturating_sub(now)),
            // The time of this runtime runs: it reads the clock of the host.
            _ => simulation.clocks.run_ahead(slot, until),
        }
        if due.is_none() {
            return Ok(());
        }
    }
}

/// What the runtime waits in that is run until it rests: it looks whether something `is_over`, as do threads of its host
/// that can run, and then rests until the time is over.
pub(super) fn rest_until(
    timeout: Option<Duration>,
    mut is_over: impl FnMut() -> Result<bool, Errno>,
) -> Result<(), Errno> {
    let simulation = simulation().ok_or(libc::EBADF)?;
    signals::let_in();
    let slot = simulation.clocks.current_slot();
    while !is_over()? {
        if run(simulation, slot) {
            continue;
        }
        simulation.jumps.rest(timeout.map(nanos), simulation.clocks.peek().virtual_nanos);
        // What ends the wait is itself an event.
        return is_over().map(drop);
    }
    Ok(())
}

/// Moves the paused clock of the current runtime. Tokio leaves that to us while it waits for a thread of its pool.
fn advance(nanos: u64) {
    let advance = pin!(tokio::time::advance(Duration::from_nanos(nanos)));
    // The first poll advances the clock, and the second would only yield.
    let _ = advance.poll(&mut Context::from_waker(Waker::noop()));
}
