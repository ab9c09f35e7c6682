//! The names by which plans and readers refer to events.

use super::event::{Event, Mark};

impl Mark {
    /// The name of its kind, for example `call-started`; for a note, the note's own name.
    pub fn name(&self) -> &str {
        match self {
            Mark::CallStarted { .. } => "call-started",
            Mark::AttemptStarted { .. } => "attempt-started",
            Mark::AttemptEnded { .. } => "attempt-ended",
            Mark::CallEnded { .. } => "call-ended",
            Mark::Dispatched { .. } => "dispatched",
            Mark::Probed { .. } => "probed",
            Mark::HealthChanged { .. } => "health-changed",
            Mark::Applied { .. } => "applied",
            Mark::BreakerChanged { .. } => "breaker-changed",
            Mark::Ready(true) => "ready",
            Mark::Ready(false) => "not-ready",
            Mark::Note { name, .. } => name,
            Mark::Ejected { .. } => "ejected",
        }
    }
}

impl Event {
    /// The name by which a plan can refer to the event; `None` for faults, segments and log lines.
    pub fn name(&self) -> Option<&str> {
        match self {
            Event::Started => Some("started"),
            Event::Returned => Some("returned"),
            Event::Failed => Some("failed"),
            Event::Killed => Some("killed"),
            Event::PoweredOff => Some("powered-off"),
            Event::Stopping => Some("stopping"),
            Event::Mark(mark) => Some(mark.name()),
            Event::OutputStalled => Some("output-stalled"),
            Event::OutputResumed => Some("output-resumed"),
            Event::Paused => Some("paused"),
            Event::Resumed => Some("resumed"),
            Event::FaultBegan { .. }
            | Event::DescriptorsHeld { .. }
            | Event::HostAffected { .. }
            | Event::FaultEnded { .. }
            | Event::FaultsOver
            | Event::Sent { .. }
            | Event::Arrived { .. }
            | Event::SegmentAffected { .. }
            | Event::SegmentCorrupted { .. }
            | Event::Log { .. } => None,
        }
    }
}
