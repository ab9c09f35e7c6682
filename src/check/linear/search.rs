//! The search for an order of one part of a history. It knows nothing of parts, files and words.
//!
//! It walks from return to return. A configuration is a frontier (the first return that is not yet ordered), a state, and
//! which of the open operations are already ordered: all that returned before the frontier are, and nothing that was
//! called after it is. So a configuration needs a bit for each client at work, not one for each operation.
//!
//! What is not tried, and why no order is missed:
//! - An observer that is possible is ordered at once: it changes nothing, so in any order that has it later it can be
//!   moved here. One that is not possible waits for a state in which it is.
//! - Of pending operations with equal effects only the one that returns first is tried: in an order that has another one
//!   here, the two can change places.
//! - An unknown operation that changes nothing here can be left out, or put where it changes something.
//! - If a configuration failed, it fails with less to use, too: hence the antichains of used unknown operations.
//! - An operation that is not yet ordered may need one certain state. Where the state is another, and nothing that can
//!   still come before it leads there, every order fails, only later.
//!
//! Operations that must return first are tried first, and unknown ones last: most often they are not needed.

use super::look_ahead::LookAhead;
use super::model::Model;
use super::options::SearchOptions;
use super::prepared::Prepared;
use super::table::{Interner, Key, NONE, Visited};

/// What a search found.
pub(super) enum SearchOutcome {
    /// An order, as positions in the whole history.
    Order(Vec<usize>),
    /// There is none.
    None(Furthest),
    /// More configurations than are allowed, or more open operations than can be told apart.
    GaveUp,
}

/// Where most operations that returned are ordered.
pub(super) struct Furthest {
    /// The order, as positions in the whole history.
    pub(super) order: Vec<usize>,
    /// The number of the operation that must come next, in the order of returns.
    pub(super) frontier: usize,
    /// The numbers of the completed operations that may come next by time.
    pub(super) pending: Vec<usize>,
    /// The positions of the unknown operations that may come next by time.
    pub(super) unknown: Vec<usize>,
    /// The state, in the manner of `Debug`.
    pub(super) state: String,
}

/// Searches for an order, and takes each configuration that it visits from what is `left`.
pub(super) fn search<M: Model>(prepared: &Prepared<'_, M>, options: &SearchOptions, left: &mut u64) -> SearchOutcome {
    match prepared.slots {
        0..=64 => Search::<M, 1>::new(prepared, options).run(left),
        65..=256 => Search::<M, 4>::new(prepared, options).run(left),
        257..=1024 => Search::<M, 16>::new(prepared, options).run(left),
        1025..=8192 => Search::<M, 128>::new(prepared, options).run(left),
        _ => SearchOutcome::GaveUp,
    }
}

/// Marks the numbers of unknown operations in an order.
const UNKNOWN: u32 = 1 << 31;

/// A configuration with what has been tried from it.
#[derive(Clone, Copy)]
struct Frame<const W: usize> {
    key: Key<W>,
    /// The unknown operations that are ordered.
    used: u32,
    /// How many operations are ordered, and how many of them are unknown.
    ordered: usize,
    unknowns: usize,
    /// Whether only operations are tried that lead to what the frontier needs. They come first: whatever else is ordered
    /// before them is missing later.
    is_direct: bool,
    /// Completed operations below this number have been tried, as far as `is_direct` lets them.
    next_completed: u32,
    /// Unknown operations below this number have been tried.
    next_unknown: u32,
}

/// Where a step led.
enum Step {
    New,
    Known,
    NothingLeft,
}

struct Search<'a, 'p, M: Model, const W: usize> {
    prepared: &'p Prepared<'a, M>,
    options: &'p SearchOptions,
    states: Interner<M::State>,
    look_ahead: LookAhead,
    visited: Visited<W>,
    frames: Vec<Frame<W>>,
    order: Vec<u32>,
    /// The operation in each slot at the frontier `position`.
    open: Vec<u32>,
    /// The slots that hold observers.
    observers: [u64; W],
    position: usize,
    best: Option<Frame<W>>,
    best_order: Vec<u32>,
    /// So many operations at the beginning of `order` and `best_order` are the same.
    in_common: usize,
}

fn is_set<const W: usize>(bits: &[u64; W], slot: u32) -> bool {
    bits[slot as usize / 64] >> (slot % 64) & 1 == 1
}

fn set<const W: usize>(bits: &mut [u64; W], slot: u32, value: bool) {
    let bit = 1 << (slot % 64);
    match value {
        true => bits[slot as usize / 64] |= bit,
        false => bits[slot as usize / 64] &= !bit,
    }
}

/// The slots that are in `bits` but not in `without`.
fn slots<const W: usize>(bits: [u64; W], without: [u64; W]) -> impl Iterator<Item = u32> {
    (0..W).flat_map(move |word| {
        let mut left = bits[word] & !without[word];
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros())?;
            left &= left - 1;
            Some(word as u32 * 64 + bit)
        })
    })
}

impl<'a, 'p, M: Model, const W: usize> Search<'a, 'p, M, W> {
    fn new(prepared: &'p Prepared<'a, M>, options: &'p SearchOptions) -> Self {
        let mut states = Interner::new();
        let look_ahead = match options.look_ahead {
            true => LookAhead::new(prepared, &mut states),
            false => LookAhead::default(),
        };
        Search {
            prepared,
            options,
            states,
            look_ahead,
            visited: Visited::new(prepared.unknown.len(), options.skip_supersets),
            frames: Vec::new(),
            order: Vec::new(),
            open: vec![NONE; prepared.slots as usize],
            observers: [0; W],
            position: 0,
            best: None,
            best_order: Vec::new(),
            in_common: 0,
        }
    }

    fn run(mut self, left: &mut u64) -> SearchOutcome {
        let completed = self.prepared.completed.len();
        if completed == 0 {
            return SearchOutcome::Order(Vec::new());
        }
        let state = self.states.intern(self.prepared.model.init());
        let mut key = Key { frontier: 0, state, pending: [0; W] };
        self.enter(0, &mut key.pending);
        self.arrive(key, Visited::<W>::NOTHING_USED, 0);
        loop {
            let Some(frame) = self.frames.last() else {
                return match self.best {
                    Some(best) => SearchOutcome::None(self.furthest(best)),
                    // The first configuration is always arrived at, and it is the best as long as none is better.
                    None => SearchOutcome::GaveUp,
                };
            };
            if frame.key.frontier as usize == completed {
                return SearchOutcome::Order(self.positions(&self.order));
            }
            if *left == 0 {
                return SearchOutcome::GaveUp;
            }
            match self.descend() {
                Step::New => *left -= 1,
                Step::Known => {}
                Step::NothingLeft => {
                    self.frames.pop();
                    self.go_back();
                }
            }
        }
    }

    /// Goes to the next configuration that can be reached from the last frame.
    fn descend(&mut self) -> Step {
        let Some(frame) = self.frames.last().copied() else { return Step::NothingLeft };
        if let Some((number, state)) = self.next_completed(&frame) {
            let mut key = Key { state, ..frame.key };
            set(&mut key.pending, self.prepared.completed[number as usize].slot, false);
            self.order.push(number);
            return self.arrive(key, frame.used, frame.unknowns);
        }
        if let Some((number, state)) = self.next_unknown(&frame) {
            let used = self.visited.with(frame.used, number);
            self.order.push(number | UNKNOWN);
            return self.arrive(Key { state, ..frame.key }, used, frame.unknowns + 1);
        }
        Step::NothingLeft
    }

    /// The pending operation that is to be tried next: the one that returns first of those that are possible.
    fn next_completed(&mut self, frame: &Frame<W>) -> Option<(u32, u32)> {
        let prepared = self.prepared;
        let frontier = frame.key.frontier;
        let has_direct = self.look_ahead.has_direct(frontier, frame.key.state);
        let (mut is_direct, mut from) = (frame.is_direct, frame.next_completed);
        let found = loop {
            let pending = || slots(frame.key.pending, self.observers).map(|slot| self.open[slot as usize]);
            let is_in_turn = |number: &u32| {
                *number >= from && (!has_direct || self.look_ahead.is_direct(frontier, *number) == is_direct)
            };
            let Some(number) = pending().filter(is_in_turn).min() else {
                if !is_direct {
                    break None;
                }
                (is_direct, from) = (false, 0);
                continue;
            };
            from = number + 1;
            let completed = &prepared.completed[number as usize];
            let is_equal = |other: u32| other < number && prepared.completed[other as usize].effect == completed.effect;
            if self.options.one_of_equals && pending().any(is_equal) {
                continue;
            }
            let state = self.states.get(frame.key.state);
            if let Some(state) = prepared.model.step(state, completed.op, Some(completed.output)) {
                break Some((number, self.states.intern(state)));
            }
        };
        if let Some(last) = self.frames.last_mut() {
            (last.is_direct, last.next_completed) = (is_direct, from);
        }
        found
    }

    /// The unknown operation that is to be tried next.
    fn next_unknown(&mut self, frame: &Frame<W>) -> Option<(u32, u32)> {
        let called = self.prepared.unknown_called[frame.key.frontier as usize];
        for number in frame.next_unknown..called {
            let unknown = &self.prepared.unknown[number as usize];
            let equal = unknown.equal_before;
            if self.visited.is_used(frame.used, number) || (equal != NONE && !self.visited.is_used(frame.used, equal)) {
                continue;
            }
            let state = self.states.get(frame.key.state);
            let Some(after) = self.prepared.model.step(state, unknown.op, None) else { continue };
            if self.options.only_changes && after == *state {
                continue;
            }
            if let Some(last) = self.frames.last_mut() {
                last.next_unknown = number + 1;
            }
            return Some((number, self.states.intern(after)));
        }
        if let Some(last) = self.frames.last_mut() {
            last.next_unknown = called;
        }
        None
    }

    /// Settles in a configuration, and makes it the last frame if it is new.
    fn arrive(&mut self, mut key: Key<W>, used: u32, unknowns: usize) -> Step {
        self.normalize(&mut key);
        let frame = Frame {
            key,
            used,
            ordered: self.order.len(),
            unknowns,
            is_direct: self.look_ahead.has_direct(key.frontier, key.state),
            next_completed: 0,
            next_unknown: 0,
        };
        if self.best.is_none_or(|best| best.ordered - best.unknowns < frame.ordered - unknowns) {
            self.best = Some(frame);
            self.best_order.truncate(self.in_common);
            self.best_order.extend_from_slice(&self.order[self.in_common..]);
            self.in_common = self.order.len();
        }
        if self.is_hopeless(&key, used) || !self.visited.is_new(key, used) {
            self.go_back();
            return Step::Known;
        }
        self.frames.push(frame);
        Step::New
    }

    /// Whether a state that is needed soon cannot come.
    fn is_hopeless(&mut self, key: &Key<W>, used: u32) -> bool {
        if self.look_ahead.is_idle() {
            return false;
        }
        let pending = slots(key.pending, [0; W]).map(|slot| self.open[slot as usize]);
        self.look_ahead.is_hopeless(
            self.prepared,
            &self.states,
            (key.frontier, key.state),
            pending,
            |slot| is_set(&key.pending, slot),
            |unknown| self.visited.is_used(used, unknown),
        )
    }

    /// Returns to the last frame.
    fn go_back(&mut self) {
        let Some(frame) = self.frames.last() else { return };
        let frontier = frame.key.frontier as usize;
        self.order.truncate(frame.ordered);
        self.in_common = self.in_common.min(frame.ordered);
        while self.position > frontier {
            let entered = self.entered(self.position);
            for number in self.prepared.by_call[entered].iter().rev() {
                let completed = &self.prepared.completed[*number as usize];
                let before = completed.slot_before;
                self.open[completed.slot as usize] = before;
                let is_observer = before != NONE && self.prepared.completed[before as usize].is_observer;
                set(&mut self.observers, completed.slot, is_observer);
            }
            self.position -= 1;
        }
    }

    /// Orders the observers that are possible, and moves the frontier past what is ordered, until neither helps.
    fn normalize(&mut self, key: &mut Key<W>) {
        let prepared = self.prepared;
        loop {
            let state = self.states.get(key.state);
            let mut waiting = [0; W];
            for (word, waiting) in waiting.iter_mut().enumerate() {
                *waiting = key.pending[word] & self.observers[word];
            }
            for slot in slots(waiting, [0; W]) {
                let number = self.open[slot as usize];
                let Some(completed) = prepared.completed.get(number as usize) else { continue };
                if prepared.model.allows(state, completed.op, completed.output) {
                    set(&mut key.pending, slot, false);
                    self.order.push(number);
                }
            }
            let before = key.frontier;
            while let Some(completed) = prepared.completed.get(key.frontier as usize) {
                if is_set(&key.pending, completed.slot) {
                    break;
                }
                key.frontier += 1;
                self.enter(key.frontier as usize, &mut key.pending);
            }
            if key.frontier == before {
                return;
            }
        }
    }

    /// Where in `by_call` the operations are that become open when the frontier comes to `frontier`.
    fn entered(&self, frontier: usize) -> std::ops::Range<usize> {
        let called = &self.prepared.called;
        let from = frontier.checked_sub(1).map_or(0, |before| called[before] as usize);
        from..called.get(frontier).map_or(from, |called| *called as usize)
    }

    /// Makes the operations pending that become open at `frontier`.
    fn enter(&mut self, frontier: usize, pending: &mut [u64; W]) {
        for number in &self.prepared.by_call[self.entered(frontier)] {
            let completed = &self.prepared.completed[*number as usize];
            self.open[completed.slot as usize] = *number;
            set(&mut self.observers, completed.slot, completed.is_observer);
            set(pending, completed.slot, true);
        }
        self.position = frontier;
    }

    fn positions(&self, order: &[u32]) -> Vec<usize> {
        let position = |number: &u32| match number & UNKNOWN {
            0 => self.prepared.completed[*number as usize].index,
            _ => self.prepared.unknown[(number & !UNKNOWN) as usize].index,
        };
        order.iter().map(position).collect()
    }

    /// Goes on from the best configuration as far as any operation that returned is possible. The search itself may have
    /// turned back there, because it saw that it comes to nothing.
    fn furthest(&mut self, mut best: Frame<W>) -> Furthest {
        self.order = std::mem::take(&mut self.best_order);
        self.position = 0;
        self.observers = [0; W];
        for frontier in 0..=best.key.frontier as usize {
            self.enter(frontier, &mut [0; W]);
        }
        while let Some((number, state)) = self.next_completed(&best) {
            best.key.state = state;
            set(&mut best.key.pending, self.prepared.completed[number as usize].slot, false);
            self.order.push(number);
            self.normalize(&mut best.key);
            best.is_direct = self.look_ahead.has_direct(best.key.frontier, best.key.state);
        }
        let frontier = best.key.frontier as usize;
        let called = &self.prepared.by_call[..self.prepared.called[frontier] as usize];
        // Everything below the frontier is ordered; its slot may be somebody else's.
        let is_pending =
            |number: &usize| *number >= frontier && is_set(&best.key.pending, self.prepared.completed[*number].slot);
        let mut pending: Vec<usize> = called.iter().map(|number| *number as usize).filter(is_pending).collect();
        pending.sort_unstable();
        let unknown = (0..self.prepared.unknown_called[frontier]).filter(|n| !self.visited.is_used(best.used, *n));
        Furthest {
            order: self.positions(&self.order),
            frontier,
            pending,
            unknown: unknown.map(|number| self.prepared.unknown[number as usize].index).collect(),
            state: format!("{:?}", self.states.get(best.key.state)),
        }
    }
}
