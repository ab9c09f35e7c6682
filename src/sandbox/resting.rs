//! What the hooks know of the runtime that is run until it rests, and which hosts have been woken.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Duration;

/// What a runtime waits in, as its hooks see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parking {
    /// The descriptor of its epoll.
    pub(super) epoll: i32,
    /// The virtual time from which its timers count, in nanoseconds. They are due whole milliseconds after that.
    pub(super) born: u64,
}

/// Until when a runtime has nothing to do, unless something wakes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Until this time.
    Until(Duration),
    /// For ever.
    ForEver,
    /// Not at all: its tasks wake each other, or themselves, again and again.
    Busy,
}

/// How often in a row a runtime only looks at its epoll before it counts as busy. Tokio looks after 61 polls of tasks, and
/// whenever all tasks have yielded.
const MANY_LOOKS: u32 = 128;

/// The length of a tick of tokio's timers, in nanoseconds.
const TICK: u64 = 1_000_000;

/// The runtime that runs now, if it is run until it rests; and which hosts something has woken.
#[derive(Debug, Default)]
pub(super) struct Jumps {
    pub(super) is_used: Cell<bool>,
    /// The latest epoll that was made.
    pub(super) latest_epoll: Cell<i32>,
    pub(super) parking: Cell<Option<Parking>>,
    pub(super) rest: Cell<Option<Rest>>,
    pub(super) looks: Cell<u32>,
    pub(super) root: RefCell<Option<Waker>>,
    pub(super) woken: RefCell<Vec<usize>>,
    /// How many changes of descriptors have been told to threads.
    pub(super) changes_seen: Cell<u64>,
}

impl Jumps {
    pub(super) fn note_epoll(&self, epoll: i32) {
        self.latest_epoll.set(epoll);
    }

    /// Whether this is the epoll of the runtime that is run until it rests.
    pub(super) fn runs(&self, epoll: i32) -> bool {
        self.parking.get().is_some_and(|parking| parking.epoll == epoll)
    }

    /// The runtime would wait for this long, or for ever. It is virtual time `now`.
    pub(super) fn rest(&self, timeout: Option<u64>, now: u64) {
        let Some(Parking { born, .. }) = self.parking.get() else { return };
        let looks = self.looks.replace(0);
        let rest = match timeout {
            None => Rest::ForEver,
            Some(0) if looks < MANY_LOOKS => return self.looks.set(looks + 1),
            Some(0) => Rest::Busy,
            Some(timeout) => {
                // The timeout is rounded up to milliseconds; timers are due at ticks.
                let tick = now.saturating_add(timeout).saturating_sub(born) / TICK * TICK;
                let due = born.saturating_add(tick);
                Rest::Until(Duration::from_nanos(if due > now { due } else { now.saturating_add(timeout) }))
            }
        };
        self.rest.set(Some(rest));
        let root = self.root.borrow_mut().take();
        if let Some(root) = root {
            root.wake();
        }
    }
}
