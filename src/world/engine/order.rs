//! Who goes first of hosts that have something to do at the same time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::text_duration;

/// When the seed decides who goes first of hosts that have something to do at the same time: from one time until before
/// another. At other times it is the host that the scenario has first. Only [`Engine::Events`](super::Engine::Events) asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeededOrder {
    /// From when the seed decides.
    #[serde(with = "text_duration")]
    pub from: Duration,
    /// The time from which it no longer decides.
    #[serde(with = "text_duration")]
    pub until: Duration,
}

impl SeededOrder {
    /// The seed never decides.
    pub const NEVER: SeededOrder = SeededOrder { from: Duration::ZERO, until: Duration::ZERO };

    /// The seed always decides, as it does unless a case says otherwise.
    pub const ALWAYS: SeededOrder = SeededOrder { from: Duration::ZERO, until: Duration::from_nanos(u64::MAX) };

    /// Whether the seed decides at this time.
    pub(crate) fn decides_at(&self, time: Duration) -> bool {
        (self.from..self.until).contains(&time)
    }

    pub(crate) fn is_always(&self) -> bool {
        *self == SeededOrder::ALWAYS
    }

    pub(crate) fn is_never(&self) -> bool {
        self.from >= self.until
    }
}

impl Default for SeededOrder {
    fn default() -> SeededOrder {
        SeededOrder::ALWAYS
    }
}
