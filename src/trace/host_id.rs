//! The identifier of a host in a trace.

use serde::{Deserialize, Serialize};

/// A host's index in its scenario, in the order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostId(pub u16);

impl HostId {
    /// A destination that is not a host of the scenario.
    pub const UNKNOWN: HostId = HostId(u16::MAX);

    /// The index as a `usize`.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}
