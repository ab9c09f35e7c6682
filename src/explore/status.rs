//! What runs came to, in order, with the word and the exit code for it.

/// What a whole exploration, or one run, came to; worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All promises were kept.
    Pass,
    /// Some runs do not say whether they were kept.
    Unknown,
    /// The same case gave different runs.
    NotDeterministic,
    /// A promise was broken.
    Fail,
}

impl Status {
    /// `pass`, `unknown`, `not deterministic` or `fail`.
    pub fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Unknown => "unknown",
            Status::NotDeterministic => "not deterministic",
            Status::Fail => "fail",
        }
    }

    /// The exit code: 0 for a pass, 1 for a failure, 3 for what is not known.
    pub fn exit_code(self) -> u8 {
        match self {
            Status::Pass => 0,
            Status::Fail => 1,
            Status::Unknown | Status::NotDeterministic => 3,
        }
    }
}
