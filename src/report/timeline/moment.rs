//! The moments of a timeline and the lines that are drawn of them.

use std::time::Duration;

use crate::trace::HostId;

/// How much a moment matters when there are too many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// A normal event.
    Routine,
    /// A retry, a refusal or a line of a log.
    Notable,
    /// A fault, a death, a change of health or of a breaker, or a failure that a client saw.
    Decisive,
}

/// The category under which a moment is counted in a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    Request,
    Answer,
    Operation,
    /// The operation that shows how a promise was broken.
    Breach,
    Effect,
    Attempt,
    Log,
    Other,
}

/// The lanes in which a moment is drawn.
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

/// Something that happened and is worth a line.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) at: Duration,
    pub(super) weight: Weight,
    pub(super) category: Category,
    pub(super) place: Place,
    /// Whether it begins or ends a life of the host that it is on.
    pub(super) life: Option<Life>,
    /// Empty if it changes the lanes but has no line of its own.
    pub(super) text: String,
}

/// A moment that has been drawn.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) weight: Weight,
    pub(super) category: Category,
    pub(super) lanes: String,
    /// The lanes as they continue if this line is left out.
    pub(super) lanes_alone: String,
    pub(super) text: String,
}
