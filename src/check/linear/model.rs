//! The trait for models of sequential objects.

use std::fmt::Debug;
use std::hash::Hash;

/// A model of a sequential object. All functions are pure: they depend only on their arguments.
///
/// ```
/// use squall::check::linear::{Model, TypedHistory, linearizable};
///
/// /// Numbers that are handed out, each once and in order.
/// struct Tickets;
///
/// impl Model for Tickets {
///     type Key = ();
///     type Op = ();
///     type Output = u64;
///     type State = u64;
///
///     fn key(&self, (): &()) {}
///
///     fn init(&self) -> u64 {
///         0
///     }
///
///     fn step(&self, next: &u64, (): &(), ticket: Option<&u64>) -> Option<u64> {
///         ticket.is_none_or(|ticket| ticket == next).then_some(next + 1)
///     }
/// }
///
/// let mut history = TypedHistory::new();
/// for (process, ticket) in [(1, 0), (2, 1)] {
///     history.call(process, ()).unwrap();
///     history.ret(process, ticket).unwrap();
/// }
/// assert!(linearizable(&Tickets, &history).is_pass());
/// ```
pub trait Model {
    /// The state of the object, or of one part of it.
    type State: Clone + Eq + Hash + Debug;
    /// An operation on the object.
    type Op: Clone + Eq + Hash + Debug;
    /// The output that an operation returns.
    type Output: Clone + Eq + Hash + Debug;
    /// The name of a part of the object that no operation on another part touches; `()` if there is only one part.
    type Key: Ord + Debug;

    /// The part that an operation concerns. Parts are judged one by one, which is much less work.
    fn key(&self, op: &Self::Op) -> Self::Key;

    /// The initial state of each part.
    fn init(&self) -> Self::State;

    /// The state after `op`, or `None` if `op` cannot return this output in this state. Without an output: the state
    /// after `op`, whatever it returned, or `None` if `op` cannot take effect in this state. Both must agree: where an
    /// output is possible, it leads to the same state as no output.
    fn step(&self, state: &Self::State, op: &Self::Op, output: Option<&Self::Output>) -> Option<Self::State>;

    /// Whether `op` with this output leaves every state unchanged, as a read or a failed compare-and-set does.
    /// Returning `false` is always correct, but slower.
    fn is_observer(&self, _op: &Self::Op, _output: Option<&Self::Output>) -> bool {
        false
    }

    /// The only state in which `op` can return this output; `None` if there are several, or if that is not known.
    /// Together with [`leads_to`](Model::leads_to) and [`may_lead`](Model::may_lead), this tells the search early that
    /// a state which is still needed cannot be reached again.
    fn needs(&self, _op: &Self::Op, _output: &Self::Output) -> Option<Self::State> {
        None
    }

    /// The only state that `op` can lead to where it changes the state, whatever it returns; `None` if there are
    /// several.
    fn leads_to(&self, _op: &Self::Op) -> Option<Self::State> {
        None
    }

    /// Whether operations for which [`leads_to`](Model::leads_to) returns `None` may lead from one state to another.
    /// Returning `true` is always correct.
    fn may_lead(&self, _from: &Self::State, _to: &Self::State) -> bool {
        true
    }

    /// Whether `op` can return this output in this state. Override it where [`step`](Model::step) copies a large
    /// state.
    fn allows(&self, state: &Self::State, op: &Self::Op, output: &Self::Output) -> bool {
        self.step(state, op, Some(output)).is_some()
    }
}
