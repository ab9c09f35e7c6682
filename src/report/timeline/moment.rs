//! What is worth a line of a timeline, before and after it is drawn.

use std::time::Duration;

use crate::trace::HostId;

/// How much a moment matters when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// What is as it should be.
    Routine,
    /// A retry, a refusal, a line of a log.
    Notable,
    /// A fault, a death, a change of mind, a failure that a client saw.
    Decisive,
}

/// What a moment is counted as where it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Request,
    Answer,
    Operation,
    Effect,
    Attempt,
    Log,
    Other,
}

/// Where a moment is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    World,
    On(HostId),
    Between { from: HostId, to: HostId },
}

/// Whether a host's program begins or ends a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Begins,
    Ends,
}

/// One thing that is worth a line.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) at: Duration,
    pub(super) weight: Weight,
    pub(super) sort: Sort,
    pub(super) place: Place,
    /// What it means for the host that it is on.
    pub(super) life: Option<Life>,
    /// Empty if it changes lanes but has no line of its own.
    pub(super) text: String,
}

/// A moment that has been drawn.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) weight: Weight,
    pub(super) sort: Sort,
    pub(super) lanes: String,
    /// The lanes as they run on when this line is left out.
    pub(super) quiet_lanes: String,
    pub(super) text: String,
}
