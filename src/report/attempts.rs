//! Which attempt of which call each exchange of a run is.

use std::time::Duration;

use crate::trace::exchange::{Exchange, calls};

/// Attempts that follow each other within this time are shown as one call, if nothing else names their call.
const CALL_WINDOW: Duration = Duration::from_secs(10);

/// The place of an exchange in its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// The number of the call in the run, from 0.
    pub(super) call: usize,
    /// The number of the attempt, from 1.
    pub(super) number: usize,
    /// How many attempts the call has.
    pub(super) of: usize,
}

/// The attempts that these exchanges are, in the same order.
pub(super) fn attempts(exchanges: &[Exchange]) -> Vec<Attempt> {
    let mut attempts = vec![Attempt { call: 0, number: 1, of: 1 }; exchanges.len()];
    for (number, call) in calls(exchanges, CALL_WINDOW).iter().enumerate() {
        for (attempt, place) in call.attempts.iter().enumerate() {
            attempts[*place] = Attempt { call: number, number: attempt + 1, of: call.attempts.len() };
        }
    }
    attempts
}
