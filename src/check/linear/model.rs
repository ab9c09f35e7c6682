//! What a model of a sequential object says.

use std::fmt::Debug;
use std::hash::Hash;

/// What a sequential object does. All functions are pure: they depend on their arguments alone.
pub trait Model {
    /// What the object, or one part of it, remembers.
    type State: Clone + Eq + Hash + Debug;
    /// What is called.
    type Op: Clone + Eq + Hash + Debug;
    /// What a call returns.
    type Output: Clone + Eq + Hash + Debug;
    /// The name of a part of the object that no operation on another part touches; `()` if there is only one.
    type Key: Ord + Debug;

    /// The part that an operation is about. Parts are judged one by one, which is much less work.
    fn key(&self, op: &Self::Op) -> Self::Key;

    /// What each part remembers at first.
    fn init(&self) -> Self::State;

    /// What the object remembers after `op`, or none if `op` cannot return this output in this state. Without an output,
    /// what it remembers after `op`, whatever that returned; none if `op` cannot take effect in this state. Both must
    /// agree: where an output is possible, it leads to the same state as no output.
    fn step(&self, state: &Self::State, op: &Self::Op, output: Option<&Self::Output>) -> Option<Self::State>;

    /// Whether `op` with this output leaves every state as it was: a read, a compare-and-set that failed. Saying `false`
    /// is always right, and slower.
    fn is_observer(&self, _op: &Self::Op, _output: Option<&Self::Output>) -> bool {
        false
    }

    /// The only state in which `op` can return this output; none if it can in several, or if that is not known. With
    /// [`leads_to`](Model::leads_to) and [`may_grow`](Model::may_grow), the search sees early that a state which is
    /// still needed cannot come again.
    fn needs(&self, _op: &Self::Op, _output: &Self::Output) -> Option<Self::State> {
        None
    }

    /// The only state that `op` can leave where it changes something, whatever it returns; none if it depends.
    fn leads_to(&self, _op: &Self::Op) -> Option<Self::State> {
        None
    }

    /// Whether operations for which [`leads_to`](Model::leads_to) gives none may lead from one state to another. Saying
    /// `true` is always right.
    fn may_grow(&self, _from: &Self::State, _to: &Self::State) -> bool {
        true
    }

    /// Whether `op` can return this output in this state. To be written anew where [`step`](Model::step) copies much.
    fn allows(&self, state: &Self::State, op: &Self::Op, output: &Self::Output) -> bool {
        self.step(state, op, Some(output)).is_some()
    }
}
