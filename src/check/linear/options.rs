//! How a history is searched.

/// Which shortcuts the search takes, and when it gives up. No shortcut changes a verdict; they can be switched off to
/// prove that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchOptions {
    /// Observers are ordered as soon as they are possible, and never tried otherwise.
    pub observers_at_once: bool,
    /// Of pending operations with the same effect, only the one that must return first is tried.
    pub one_of_equals: bool,
    /// Unknown operations are tried only where they change the state.
    pub only_changes: bool,
    /// A configuration with more unknown operations used than one that failed is not tried.
    pub skip_supersets: bool,
    /// A configuration from which a state that is needed soon cannot come is not tried.
    pub look_ahead: bool,
    /// After so many configurations, of all parts together, the answer is unknown. One takes some 50 bytes, and the
    /// states come on top.
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
