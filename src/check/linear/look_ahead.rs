//! The look-ahead of the search: whether a state that is needed soon can still be reached.

use super::model::Model;
use super::prepared::Prepared;
use super::table::{Interner, NONE};

/// The states that the operations of a part need and lead to, as interned numbers; [`NONE`] where that is not certain.
#[derive(Default)]
pub(super) struct LookAhead {
    needs: Vec<u32>,
    leads: Vec<u32>,
    unknown_leads: Vec<u32>,
    /// How many returns it looks ahead.
    reach: usize,
    /// The states that can still be reached at once; kept between calls to reuse its memory.
    reachable: Vec<u32>,
}

impl LookAhead {
    pub(super) fn new<M: Model>(prepared: &Prepared<'_, M>, states: &mut Interner<M::State>) -> LookAhead {
        let model = prepared.model;
        let mut number = |state: Option<M::State>| state.map_or(NONE, |state| states.intern(state));
        let needs: Vec<u32> =
            prepared.completed.iter().map(|completed| number(model.needs(completed.op, completed.output))).collect();
        if needs.iter().all(|need| *need == NONE) {
            return LookAhead::default();
        }
        LookAhead {
            needs,
            leads: prepared.completed.iter().map(|completed| number(model.leads_to(completed.op))).collect(),
            unknown_leads: prepared.unknown.iter().map(|unknown| number(model.leads_to(unknown.op))).collect(),
            reach: 2 * prepared.slots as usize,
            reachable: Vec::new(),
        }
    }

    /// Whether no operation needs a particular state, so that there is nothing to look for.
    pub(super) fn is_idle(&self) -> bool {
        self.needs.is_empty()
    }

    /// Whether the operation at the frontier needs a state other than this one.
    pub(super) fn has_direct(&self, frontier: u32, state: u32) -> bool {
        self.needs.get(frontier as usize).is_some_and(|need| *need != NONE && *need != state)
    }

    /// Whether a completed operation leads to the state that the frontier needs.
    pub(super) fn is_direct(&self, frontier: u32, number: u32) -> bool {
        self.needs.get(frontier as usize) == self.leads.get(number as usize)
    }

    /// Whether an operation that returns soon needs a state that is not the current one and that nothing leads to
    /// before the operation returns. `pending` are the operations that may come next, `is_pending` says whether the
    /// operation of a slot is one of them, and `is_used` says whether an unknown operation is ordered.
    pub(super) fn is_hopeless<M: Model>(
        &mut self,
        prepared: &Prepared<'_, M>,
        states: &Interner<M::State>,
        (frontier, state): (u32, u32),
        pending: impl Iterator<Item = u32>,
        is_pending: impl Fn(u32) -> bool,
        is_used: impl Fn(u32) -> bool,
    ) -> bool {
        let completed = &prepared.completed;
        let from = frontier as usize;
        if from >= completed.len() {
            return false;
        }
        let leads_to = |from: u32, to: u32| from == to || prepared.model.may_lead(states.get(from), states.get(to));
        self.reachable.clear();
        self.reachable.push(state);
        self.reachable.extend(pending.map(|number| self.leads[number as usize]).filter(|lead| *lead != NONE));
        let mut called = prepared.called[from] as usize;
        for (number, operation) in completed.iter().enumerate().skip(from).take(self.reach) {
            // Any operation that is called before this one returns may come before it.
            let entered = &prepared.by_call[called..prepared.called[number] as usize];
            self.reachable.extend(entered.iter().map(|other| self.leads[*other as usize]).filter(|lead| *lead != NONE));
            called += entered.len();
            let need = self.needs[number];
            let is_ordered = operation.entered <= frontier && !is_pending(operation.slot);
            if need == NONE || is_ordered || self.reachable.iter().any(|state| leads_to(*state, need)) {
                continue;
            }
            let is_helpful = |unknown: u32| {
                let lead = self.unknown_leads[unknown as usize];
                lead != NONE && !is_used(unknown) && leads_to(lead, need)
            };
            if !(0..prepared.unknown_called[number]).any(is_helpful) {
                return true;
            }
        }
        false
    }
}
