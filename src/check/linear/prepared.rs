//! One part of a history made ready for the search: operations by their returns, a slot for each while it is open, and
//! classes of operations with equal effects. It does not search.

use std::collections::BTreeMap;

use super::history::HistoryEntry;
use super::model::Model;
use super::options::SearchOptions;
use super::table::{Interner, NONE};

/// An operation that returned. Its number is its place in the order of returns.
pub(super) struct Completed<'a, M: Model> {
    pub(super) op: &'a M::Op,
    pub(super) output: &'a M::Output,
    /// Its position in the whole history.
    pub(super) index: usize,
    /// Operations that are open at the same time have different slots.
    pub(super) slot: u32,
    /// The frontier at which it becomes open.
    pub(super) entered: u32,
    /// The operation that had the slot before; [`NONE`] if none did.
    pub(super) slot_before: u32,
    /// Equal for operations with equal effects.
    pub(super) effect: u32,
    pub(super) is_observer: bool,
}

/// An operation whose outcome is unknown. Its number is its place in the order of calls.
pub(super) struct Unknown<'a, M: Model> {
    pub(super) op: &'a M::Op,
    pub(super) index: usize,
    /// The one with an equal effect that was called before; [`NONE`] if none was. It is used first.
    pub(super) equal_before: u32,
}

/// A part of a history.
///
/// The frontier is the first return that is not yet ordered. What may be ordered next is what was called before it.
pub(super) struct Prepared<'a, M: Model> {
    pub(super) model: &'a M,
    pub(super) completed: Vec<Completed<'a, M>>,
    pub(super) unknown: Vec<Unknown<'a, M>>,
    /// The completed operations in the order of their calls.
    pub(super) by_call: Vec<u32>,
    /// For each frontier, how many of `by_call` are called before it returns.
    pub(super) called: Vec<u32>,
    /// For each frontier, how many unknown operations are called before it returns.
    pub(super) unknown_called: Vec<u32>,
    /// How many slots there are.
    pub(super) slots: u32,
}

impl<'a, M: Model> Prepared<'a, M> {
    pub(super) fn new(
        model: &'a M,
        entries: &'a [HistoryEntry<M::Op, M::Output>],
        members: &[usize],
        options: &SearchOptions,
    ) -> Prepared<'a, M> {
        let mut returned: Vec<(u64, &'a M::Output, usize)> = Vec::new();
        let mut open = Vec::new();
        for &index in members {
            match &entries[index].ret {
                Some((ret, output)) => returned.push((*ret, output, index)),
                // An observer that learnt nothing says nothing.
                None if options.observers_at_once && model.is_observer(&entries[index].op, None) => {}
                None => open.push(index),
            }
        }
        // Positions break ties, so that the search takes the same way every time.
        returned.sort_unstable_by_key(|(ret, _, index)| (*ret, *index));
        open.sort_unstable_by_key(|index| (entries[*index].call, *index));

        let mut effects = Interner::new();
        let mut completed = Vec::with_capacity(returned.len());
        for (number, (_, output, index)) in returned.iter().enumerate() {
            let op = &entries[*index].op;
            let effect = if options.one_of_equals { effects.intern((op, *output)) } else { number as u32 };
            let is_observer = options.observers_at_once && model.is_observer(op, Some(output));
            completed.push(Completed {
                op,
                output: *output,
                index: *index,
                slot: 0,
                entered: 0,
                slot_before: NONE,
                effect,
                is_observer,
            });
        }
        let unknown = unknown(entries, &open, options);

        let mut by_call: Vec<u32> = (0..completed.len() as u32).collect();
        let call_of = |completed: &[Completed<'a, M>], number: u32| entries[completed[number as usize].index].call;
        by_call.sort_by_key(|number| call_of(&completed, *number));
        let mut prepared = Prepared {
            model,
            completed,
            unknown,
            by_call,
            called: Vec::with_capacity(returned.len()),
            unknown_called: Vec::with_capacity(returned.len()),
            slots: 0,
        };
        let mut free: Vec<u32> = Vec::new();
        let mut last_in_slot: Vec<u32> = Vec::new();
        let (mut called, mut unknown_called) = (0, 0);
        for (frontier, (ret, ..)) in returned.iter().enumerate() {
            // A call at the very event of the return counts as before it.
            while called < prepared.by_call.len() && call_of(&prepared.completed, prepared.by_call[called]) <= *ret {
                let number = prepared.by_call[called];
                let slot = free.pop().unwrap_or_else(|| {
                    last_in_slot.push(NONE);
                    last_in_slot.len() as u32 - 1
                });
                let entered = &mut prepared.completed[number as usize];
                entered.slot = slot;
                entered.entered = frontier as u32;
                entered.slot_before = std::mem::replace(&mut last_in_slot[slot as usize], number);
                called += 1;
            }
            while unknown_called < open.len() && entries[open[unknown_called]].call <= *ret {
                unknown_called += 1;
            }
            prepared.called.push(called as u32);
            prepared.unknown_called.push(unknown_called as u32);
            free.push(prepared.completed[frontier].slot);
        }
        prepared.slots = last_in_slot.len() as u32;
        prepared
    }
}

/// The unknown operations, each with its equal before it.
fn unknown<'a, M: Model>(
    entries: &'a [HistoryEntry<M::Op, M::Output>],
    open: &[usize],
    options: &SearchOptions,
) -> Vec<Unknown<'a, M>> {
    let mut classes = Interner::new();
    let mut last_of_class = BTreeMap::new();
    let with_equal = |(number, index): (usize, &usize)| {
        let op = &entries[*index].op;
        let equal_before = match options.one_of_equals {
            true => last_of_class.insert(classes.intern(op), number as u32).unwrap_or(NONE),
            false => NONE,
        };
        Unknown { op, index: *index, equal_before }
    };
    open.iter().enumerate().map(with_equal).collect()
}
