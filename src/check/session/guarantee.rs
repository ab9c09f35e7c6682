//! What a session may rely on, one by one.

use std::fmt;

/// What a session may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    /// A read sees what its session wrote before, or something later.
    ReadYourWrites,
    /// A read sees what its session read before, or something later.
    MonotonicReads,
    /// A write comes after what its session wrote before.
    MonotonicWrites,
    /// A write comes after what its session read before.
    WritesFollowReads,
}

impl Guarantee {
    /// All four. Together they are causal consistency of each key.
    pub const ALL: [Guarantee; 4] = [
        Guarantee::ReadYourWrites,
        Guarantee::MonotonicReads,
        Guarantee::MonotonicWrites,
        Guarantee::WritesFollowReads,
    ];

    /// Whether it binds reads, and whether by what the session read (or else wrote) before.
    pub(super) fn binds(self) -> (bool, bool) {
        match self {
            Guarantee::ReadYourWrites => (true, false),
            Guarantee::MonotonicReads => (true, true),
            Guarantee::MonotonicWrites => (false, false),
            Guarantee::WritesFollowReads => (false, true),
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Guarantee::ReadYourWrites => "read your writes",
            Guarantee::MonotonicReads => "monotonic reads",
            Guarantee::MonotonicWrites => "monotonic writes",
            Guarantee::WritesFollowReads => "writes follow reads",
        })
    }
}
