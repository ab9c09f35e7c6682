//! Histories that are refuted by a short stretch of them. It knows nothing of how the search works.
//!
//! A long history with many clients may be wrong in one place and have more configurations before it than can be visited.
//! But an order of the whole is an order of every stretch of it, from some state at its beginning. Of a stretch between
//! two moments, what was called after the first and returned by the second is in that order. What is open at either
//! moment may be in it or not, so its outcome is taken as unknown; what returned by the first moment has left its state.
//! If no order explains the stretch from any state that can have been left, none explains the whole.

use super::prepared::Prepared;
use super::search::{Found, search};
use super::{Entry, Model, Options};

/// From so many states a stretch is tried; where more can have been left, nothing is refuted.
const STATES: usize = 64;

/// How long stretches are, as multiples of the number of operations that are open at the same time.
const LENGTHS: [usize; 3] = [4, 16, 64];

/// The model with another state at first.
struct Starting<'a, M: Model> {
    model: &'a M,
    state: M::State,
}

impl<M: Model> Model for Starting<'_, M> {
    type State = M::State;
    type Op = M::Op;
    type Output = M::Output;
    type Key = M::Key;

    fn key(&self, op: &M::Op) -> M::Key {
        self.model.key(op)
    }

    fn init(&self) -> M::State {
        self.state.clone()
    }

    fn step(&self, state: &M::State, op: &M::Op, output: Option<&M::Output>) -> Option<M::State> {
        self.model.step(state, op, output)
    }

    fn is_observer(&self, op: &M::Op, output: Option<&M::Output>) -> bool {
        self.model.is_observer(op, output)
    }

    fn needs(&self, op: &M::Op, output: &M::Output) -> Option<M::State> {
        self.model.needs(op, output)
    }

    fn leads_to(&self, op: &M::Op) -> Option<M::State> {
        self.model.leads_to(op)
    }

    fn may_grow(&self, from: &M::State, to: &M::State) -> bool {
        self.model.may_grow(from, to)
    }

    fn allows(&self, state: &M::State, op: &M::Op, output: &M::Output) -> bool {
        self.model.allows(state, op, output)
    }
}

/// Whether a stretch around the return numbered `frontier` shows that there is no order. Takes what it visits from what
/// is `left`.
pub(super) fn is_refuted<M: Model>(
    prepared: &Prepared<'_, M>,
    entries: &[Entry<M::Op, M::Output>],
    members: &[usize],
    frontier: usize,
    options: &Options,
    left: &mut u64,
) -> bool {
    let open = prepared.slots as usize;
    let ret = |number: usize| entries[prepared.completed[number].index].ret.as_ref().map_or(0, |(ret, _)| *ret);
    let Some(last) = prepared.completed.len().checked_sub(1) else { return false };
    // The search may have turned back before it came to what is wrong.
    let until = ret((frontier + 3 * open).min(last));
    for length in LENGTHS {
        let from = frontier.checked_sub(length * open).map(&ret);
        let Some(states) = states(prepared.model, entries, members, from) else { return false };
        let stretch = stretch(entries, members, from, until);
        let all: Vec<usize> = (0..stretch.len()).collect();
        // The budget is shared by the lengths, and by the states of each.
        let given = *left / 2 / states.len() as u64;
        let is_impossible = |state: M::State| {
            let model = Starting { model: prepared.model, state };
            let mut of_state = given;
            let found = search(&Prepared::new(&model, &stretch, &all, options), options, &mut of_state);
            *left = left.saturating_sub(given - of_state);
            matches!(found, Found::None(_))
        };
        if states.into_iter().all(is_impossible) {
            return true;
        }
        if from.is_none() {
            return false;
        }
    }
    false
}

/// The states that can have been left by a moment; none if they cannot be told, or are too many.
fn states<M: Model>(
    model: &M,
    entries: &[Entry<M::Op, M::Output>],
    members: &[usize],
    from: Option<u64>,
) -> Option<Vec<M::State>> {
    let mut states = vec![model.init()];
    let Some(from) = from else { return Some(states) };
    for entry in members.iter().map(|index| &entries[*index]).filter(|entry| entry.call <= from) {
        if model.is_observer(&entry.op, entry.ret.as_ref().map(|(_, output)| output)) {
            continue;
        }
        let state = model.leads_to(&entry.op)?;
        if !states.contains(&state) {
            states.push(state);
            if states.len() > STATES {
                return None;
            }
        }
    }
    Some(states)
}

/// What may be ordered between two moments; only what was called after the first and returned by the second must be.
fn stretch<Op: Clone, Output: Clone>(
    entries: &[Entry<Op, Output>],
    members: &[usize],
    from: Option<u64>,
    until: u64,
) -> Vec<Entry<Op, Output>> {
    let has_left = |ret: u64| from.is_some_and(|from| ret <= from);
    let may_be_in =
        |entry: &&Entry<Op, Output>| entry.call <= until && !entry.ret.as_ref().is_some_and(|(ret, _)| has_left(*ret));
    let loosened = |entry: &Entry<Op, Output>| {
        let must_be_in = |ret: &u64| *ret <= until && from.is_none_or(|from| entry.call > from);
        let ret = entry.ret.clone().filter(|(ret, _)| must_be_in(ret));
        Entry { process: entry.process, call: entry.call, ret, op: entry.op.clone() }
    };
    members.iter().map(|index| &entries[*index]).filter(may_be_in).map(loosened).collect()
}
