//! The threads that programs have started, and what each waits for. Who has the turn is for `turns` to decide.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::pthread_t;

use super::raw::system_call;
use crate::seed::Seed;

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing but its turn.
    Nothing,
    /// That another thread wakes whoever waits at this address.
    Word(usize),
    /// The same, where the word is a lock, and no time ends the wait.
    Lock(usize),
    /// A change of some descriptor, beyond this number of them.
    Change(u64),
    /// Only time.
    Time,
    /// The end of another thread.
    End(pthread_t),
    /// Nothing any more: it has ended.
    Ended,
}

impl Wait {
    /// The address at which it waits to be woken.
    fn word(self) -> Option<usize> {
        match self {
            Wait::Word(word) | Wait::Lock(word) => Some(word),
            _ => None,
        }
    }
}

/// A right to run, which the others hand over.
#[derive(Debug, Default)]
pub(super) struct Baton(AtomicU32);

impl Baton {
    pub(super) fn give(&self) {
        self.0.store(1, Ordering::SeqCst);
        let word = &raw const self.0 as usize;
        let wake = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
        // SAFETY: the word is valid, and a wake only reads its address.
        unsafe { system_call(libc::SYS_futex, [word, wake, 1, 0, 0, 0]) };
    }

    pub(super) fn take(&self) {
        let word = &raw const self.0 as usize;
        let wait = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
        while self.0.swap(0, Ordering::SeqCst) == 0 {
            // SAFETY: the word is valid as long as the thread that waits here exists.
            unsafe { system_call(libc::SYS_futex, [word, wait, 0, 0, 0, 0]) };
        }
    }
}

/// A thread of a program. Only who has a turn touches it, except for the baton.
#[derive(Debug)]
pub(super) struct Thread {
    /// The slot of its host's clock.
    pub(super) slot: usize,
    /// The number of processes of its host that had been killed when it was started.
    pub(super) life: u32,
    /// How many threads its host had started before it.
    pub(super) number: u64,
    pub(super) id: Cell<pthread_t>,
    pub(super) baton: Baton,
    pub(super) wait: Cell<Wait>,
    /// The virtual time at which the wait ends by itself, in nanoseconds.
    pub(super) until: Cell<Option<u64>>,
    /// How often in a row it has given way to others.
    pub(super) yields: Cell<u32>,
    /// At how many calls it could have been switched from.
    pub(super) calls: Cell<u64>,
    /// How often it has asked for entropy.
    pub(super) requests: Cell<u64>,
    /// What it does with its next turn instead of going on.
    pub(super) question: Cell<Option<fn(&Thread)>>,
    /// Where it waits, once it was asked.
    pub(super) place: RefCell<String>,
    pub(super) simulation: *const c_void,
}

// SAFETY: only the thread that has the turn touches the cells, and turns are handed over by an atomic. The pointer is
// used only during a turn, and turns are given only while the simulation exists.
unsafe impl Send for Thread {}
// SAFETY: as above.
unsafe impl Sync for Thread {}

thread_local! {
    // Plain data without a destructor, because hooks may read it at any time in a thread's life.
    pub(super) static CURRENT: Cell<*const Thread> = const { Cell::new(std::ptr::null()) };
}

/// The thread of a program that runs this code, if it is one.
pub(super) fn current<'a>() -> Option<&'a Thread> {
    // SAFETY: the pointer is set from an `Arc` that is never freed before the thread clears it.
    unsafe { CURRENT.get().as_ref() }
}

/// The number of the thread of a program that runs this code, if it is one, and how often it has asked for entropy before.
pub(in crate::sandbox) fn next_request_of_thread() -> Option<(u64, u64)> {
    current().map(|thread| (thread.number, thread.requests.replace(thread.requests.get() + 1)))
}

/// Whether a thread of a program runs this code, and not the one that simulates.
pub(in crate::sandbox) fn is_thread_of_program() -> bool {
    current().is_some()
}

/// The threads of all programs, and who of them may run.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Turns {
    pub(super) threads: RefCell<Vec<Arc<Thread>>>,
    /// The simulating thread's.
    pub(super) baton: Baton,
    /// The address at which the simulating thread waits, and whether it was woken.
    pub(super) word: Cell<usize>,
    pub(super) is_woken: Cell<bool>,
    /// How often in a row the simulating thread has given way to others.
    pub(super) yields: Cell<u32>,
    /// How many changes of descriptors there have been.
    pub(super) changes: Cell<u64>,
    /// Whether the thread whose turn it was last found that the change was none that it waits for.
    pub(super) has_only_looked: Cell<bool>,
    /// For each slot of a clock, how many threads were started and how often there was a choice of who runs next.
    counts: RefCell<Vec<Counts>>,
    /// Whether threads that block each other were found.
    pub(super) has_deadlock: Cell<bool>,
    /// How many moments it has waited for threads of other simulations.
    pub(super) waited_for_others: Cell<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    started: u64,
    choices: u64,
}

/// Who has the next turn.
#[derive(Debug)]
pub(super) enum Next {
    Thread(Arc<Thread>),
    /// The simulating thread goes on.
    Simulating,
    Nobody,
}

impl Turns {
    /// Some descriptor has changed.
    pub(in crate::sandbox) fn note_change(&self) {
        self.changes.set(self.changes.get() + 1);
    }

    /// How many changes of descriptors there have been.
    pub(in crate::sandbox) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Calls this with the slot of each thread that waits for a change of a descriptor.
    pub(in crate::sandbox) fn for_each_waiting_for_change(&self, tell: impl Fn(usize)) {
        for thread in self.threads.borrow().iter().filter(|thread| matches!(thread.wait.get(), Wait::Change(_))) {
            tell(thread.slot);
        }
    }

    /// Whether some thread waits for a lock.
    pub(in crate::sandbox) fn has_waits_for_locks(&self) -> bool {
        self.threads.borrow().iter().any(|thread| matches!(thread.wait.get(), Wait::Lock(_)))
    }

    /// When time ends the next wait of a thread of this host, in virtual nanoseconds; outside of any host (`None`), that of a
    /// thread of any. `lives_ended` tells how many of a host's processes were killed: what their threads wait for is no reason
    /// to wake anybody.
    pub(in crate::sandbox) fn next_due(&self, slot: Option<usize>, lives_ended: impl Fn(usize) -> u32) -> Option<u64> {
        let threads = self.threads.borrow();
        let waiting = threads.iter().filter(|thread| slot.is_none_or(|slot| thread.slot == slot));
        let waiting = waiting.filter(|thread| thread.until.get().is_some());
        waiting.filter(|thread| thread.may_run(lives_ended(thread.slot))).filter_map(|thread| thread.until.get()).min()
    }

    /// The number of the next thread that the host in this slot starts.
    pub(super) fn next_number(&self, slot: usize) -> u64 {
        self.with_counts(slot, |counts| {
            counts.started += 1;
            counts.started - 1
        })
    }

    fn with_counts<T>(&self, slot: usize, act: impl FnOnce(&mut Counts) -> T) -> T {
        let mut all = self.counts.borrow_mut();
        if all.len() <= slot {
            all.resize(slot + 1, Counts::default());
        }
        act(&mut all[slot])
    }

    /// Who runs next of the threads that `is_ready` names and, if it competes, of the simulating thread. Each choice gives
    /// every thread a weight that is a hash of the host, of how many choices it has had, and of the thread's number; the
    /// smallest wins. So all are equally likely, and another thread that comes or goes changes little.
    pub(super) fn choose(
        &self,
        seed: Seed,
        slot: usize,
        simulating_competes: bool,
        is_ready: impl Fn(&Thread) -> bool,
    ) -> Next {
        const SIMULATING: u64 = u64::MAX;
        let threads = self.threads.borrow();
        let mut ready = threads.iter().filter(|thread| is_ready(thread));
        let Some(first) = ready.next() else {
            return if simulating_competes { Next::Simulating } else { Next::Nobody };
        };
        let second = ready.next();
        if second.is_none() && !simulating_competes {
            return Next::Thread(first.clone());
        }
        let choice = self.with_counts(slot, |counts| {
            counts.choices += 1;
            counts.choices
        });
        let weight = |slot: usize, number| seed.decide("turn of a thread", &[slot as u64, choice, number]);
        let weighed = [Some(first), second].into_iter().flatten().chain(ready);
        let weighed = weighed.map(|thread| (weight(thread.slot, thread.number), Some(thread)));
        let simulating = simulating_competes.then(|| (weight(slot, SIMULATING), None));
        match weighed.chain(simulating).min_by_key(|(weight, _)| *weight) {
            Some((_, Some(thread))) => Next::Thread(thread.clone()),
            Some((_, None)) => Next::Simulating,
            None => Next::Nobody,
        }
    }

    pub(super) fn is_ready(&self, thread: &Thread, lives_ended: u32, now: u64) -> bool {
        if !thread.may_run(lives_ended) {
            return false;
        }
        let is_dead = thread.is_dead(lives_ended);
        let is_due = thread.until.get().is_some_and(|until| until <= now);
        match thread.wait.get() {
            Wait::Nothing => true,
            Wait::Change(seen) => is_due || is_dead || self.changes.get() != seen,
            Wait::Time => is_due || is_dead,
            Wait::Word(_) | Wait::Lock(_) => is_due,
            Wait::End(other) => self.has_ended(other),
            Wait::Ended => false,
        }
    }

    pub(super) fn has_ended(&self, id: pthread_t) -> bool {
        let threads = self.threads.borrow();
        threads.iter().all(|thread| thread.id.get() != id || thread.wait.get() == Wait::Ended)
    }

    /// Wakes up to `most` threads that wait at this address; returns how many.
    pub(super) fn wake(&self, word: usize, most: usize) -> usize {
        let threads = self.threads.borrow();
        let waiting = threads.iter().filter(|thread| thread.wait.get().word() == Some(word));
        let mut woken = waiting.take(most).map(|thread| thread.wait.set(Wait::Nothing)).count();
        if woken < most && self.word.get() == word && word != 0 {
            self.is_woken.set(true);
            woken += 1;
        }
        woken
    }
}

impl Thread {
    fn is_dead(&self, lives_ended: u32) -> bool {
        lives_ended != self.life
    }

    /// Whether it belongs to a process that lives, and is not over.
    pub(super) fn is_alive(&self, lives_ended: u32) -> bool {
        !self.is_dead(lives_ended) && self.wait.get() != Wait::Ended
    }

    /// Whether it can run at all: a dead thread runs only so that the runtime to which it belongs can be dropped.
    fn may_run(&self, lives_ended: u32) -> bool {
        !self.is_dead(lives_ended) || tokio::runtime::Handle::try_current().is_err()
    }

    /// Ends the turn until the wait is over. Returns whether time ended it.
    pub(super) fn park(&self, turns: &Turns, wait: Wait, until: Option<u64>) -> bool {
        self.wait.set(wait);
        self.until.set(until);
        if wait != Wait::Nothing {
            self.yields.set(0);
        }
        turns.baton.give();
        self.baton.take();
        while let Some(answer) = self.question.take() {
            answer(self);
            turns.baton.give();
            self.baton.take();
        }
        let is_woken = self.wait.replace(Wait::Nothing) == Wait::Nothing;
        !is_woken
    }
}
