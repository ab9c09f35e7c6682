//! The core of a wrong history: a small part of it that is still wrong, found by leaving out as much as possible.
//!
//! Leaving out a write would make every history that reads its value wrong. So an operation that may change the state
//! is loosened instead: its outcome is taken as unknown, so that it may take effect at any time after its call, or
//! never. Observers are left out. Both steps only allow more orders, so if the smaller history is wrong, the whole one
//! is, too.

use std::collections::BTreeSet;

use super::history::{HistoryEntry, TypedHistory};
use super::model::Model;

/// How many configurations one attempt may visit. Operations are kept if leaving them out takes more to judge.
const BUDGET_EACH: u64 = 50_000;
/// How many configurations all attempts together may visit, where nothing else limits them.
pub(in crate::check) const BUDGET: u64 = 2_000_000;

/// Operations that suffice to make a history wrong, as positions in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Operations that cannot be ordered. Each of them is needed, unless the search for a smaller core gave up.
    pub kept: Vec<usize>,
    /// Operations whose outcomes do not matter: each may take effect at any time after its call, or never.
    pub loosened: Vec<usize>,
}

impl Core {
    /// Describes the core in several lines; `line` describes an operation.
    pub(in crate::check) fn lines(&self, line: impl Fn(&usize) -> String) -> Vec<String> {
        let head = match self.loosened.len() {
            0 => "these suffice:".to_owned(),
            count => format!("these suffice, even if {count} others may take effect late or never:"),
        };
        let kept = self.kept.iter().map(|index| format!("  {}", line(index)));
        std::iter::once(head).chain(kept).collect()
    }

    /// The history that is left: the kept operations, and the loosened ones with unknown outcomes.
    pub fn history<Op: Clone, Output: Clone>(&self, history: &TypedHistory<Op, Output>) -> TypedHistory<Op, Output> {
        let loosened: BTreeSet<usize> = self.loosened.iter().copied().collect();
        let entry = |index: usize| {
            let entry = history.entries()[index].clone();
            if loosened.contains(&index) { HistoryEntry { ret: None, ..entry } } else { entry }
        };
        TypedHistory::of_entries(self.indices(history).into_iter().map(entry).collect())
    }

    /// The positions in the whole history of the operations that are left, in their order there.
    pub(in crate::check) fn indices<Op, Output>(&self, history: &TypedHistory<Op, Output>) -> Vec<usize> {
        let entries = history.entries();
        let is_there = |index: &usize| *index < entries.len();
        let mut indices: Vec<usize> = self.kept.iter().chain(&self.loosened).copied().filter(is_there).collect();
        // If a client made several calls at the same time, their positions tell which came first.
        indices.sort_by_key(|index| (entries[*index].call, *index));
        indices
    }
}

/// The cost that is assumed for an attempt that did not give up, whose real cost is not reported. Most cost less.
pub(in crate::check) const TYPICAL_COST: u64 = BUDGET_EACH / 50;

/// The result of judging a smaller history.
pub(in crate::check) struct Attempt {
    /// Whether the history is certainly still wrong.
    pub(in crate::check) is_wrong: bool,
    /// How many configurations the attempt visited.
    pub(in crate::check) spent: u64,
}

/// Leaves out or loosens as many of the members as possible while `judge` still finds the rest wrong. `judge` gets a
/// smaller history and the number of configurations that it may visit; `budget` is that of all attempts together.
pub(in crate::check) fn smallest<M: Model>(
    model: &M,
    history: &TypedHistory<M::Op, M::Output>,
    members: &[usize],
    budget: u64,
    judge: impl FnMut(&TypedHistory<M::Op, M::Output>, u64) -> Attempt,
) -> Core {
    let entries = history.entries();
    let (mut kept, mut loosened): (Vec<usize>, Vec<usize>) =
        members.iter().partition(|index| entries.get(**index).is_some_and(|entry| entry.ret.is_some()));
    let ret = |index: &usize| entries[*index].ret.as_ref().map(|(ret, _)| *ret);
    kept.sort_by_key(|index| (ret(index), *index));
    let mut smaller = Smaller { model, history, judge, left: budget };
    let mut size = kept.len();
    while size > 0 && smaller.left > 0 {
        let mut end = kept.len();
        let mut has_changed = false;
        while end > 0 && smaller.left > 0 {
            let start = end.saturating_sub(size);
            let without = smaller.without(&kept, &loosened, start..end);
            if let Some(core) = without {
                (kept, loosened) = (core.kept, core.loosened);
                has_changed = true;
            }
            end = start;
        }
        // Single operations are tried until none can be spared: one that was needed along with others may not be needed
        // without them.
        if size > 1 || !has_changed {
            size /= 2;
        }
    }
    kept.sort_by_key(|index| (entries[*index].call, *index));
    loosened.sort_by_key(|index| (entries[*index].call, *index));
    Core { kept, loosened }
}

/// Tries smaller histories.
struct Smaller<'a, M: Model, J> {
    model: &'a M,
    history: &'a TypedHistory<M::Op, M::Output>,
    judge: J,
    left: u64,
}

impl<M: Model, J: FnMut(&TypedHistory<M::Op, M::Output>, u64) -> Attempt> Smaller<'_, M, J> {
    /// The core without a range of the kept operations, if it is still wrong.
    fn without(&mut self, kept: &[usize], loosened: &[usize], range: std::ops::Range<usize>) -> Option<Core> {
        let entries = self.history.entries();
        let may_change = |index: &&usize| {
            let entry = &entries[**index];
            !self.model.is_observer(&entry.op, entry.ret.as_ref().map(|(_, output)| output))
        };
        let loose = kept[range.clone()].iter().filter(may_change);
        let loosened = loosened.iter().chain(loose).copied().collect();
        let kept = kept[..range.start].iter().chain(&kept[range.end..]).copied().collect();
        let core = Core { kept, loosened };
        let attempt = (self.judge)(&core.history(self.history), self.left.min(BUDGET_EACH));
        self.left = self.left.saturating_sub(attempt.spent);
        attempt.is_wrong.then_some(core)
    }
}
