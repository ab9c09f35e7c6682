//! The options of the search for an order.

/// The shortcuts that the search takes, and when it gives up. No shortcut changes a verdict; they can be switched off
/// to prove that.
///
/// ```
/// use squall::check::linear::models::{Register, RegisterOp, RegisterOutput};
/// use squall::check::linear::{Judgement, SearchOptions, TypedHistory, judge};
///
/// let mut history = TypedHistory::new();
/// history.call(1, RegisterOp::Write(7)).unwrap();
/// history.ret(1, RegisterOutput::Done).unwrap();
/// let options = SearchOptions { budget: 1_000, ..SearchOptions::default() };
/// assert!(matches!(judge(&Register::new(0), &history, &options), Judgement::Linearizable(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchOptions {
    /// Orders observers as soon as they are possible, and never tries them otherwise.
    pub observers_at_once: bool,
    /// Of pending operations with the same effect, tries only the one that returns first.
    pub one_of_equals: bool,
    /// Tries unknown operations only where they change the state.
    pub only_changes: bool,
    /// Skips a configuration that has used all unknown operations of one that failed, and more.
    pub skip_supersets: bool,
    /// Skips a configuration from which a state that is needed soon cannot be reached.
    pub look_ahead: bool,
    /// After this many configurations, over all parts, the verdict is unknown. Each takes about 50 bytes, plus the
    /// states.
    pub budget: u64,
}

impl Default for SearchOptions {
    fn default() -> SearchOptions {
        SearchOptions {
            observers_at_once: true,
            one_of_equals: true,
            only_changes: true,
            skip_supersets: true,
            look_ahead: true,
            budget: 4_000_000,
        }
    }
}
