//! One record of a trace: an event with its time, its host and a text for a reader.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::host_id::HostId;

/// An event with its virtual time and host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Virtual time since the start of the run.
    pub at: Duration,
    /// The host where it happened; `None` for the world itself.
    pub host: Option<HostId>,
    /// The event.
    pub event: Event,
    /// A text for a reader (a request line, a log message, an error). Kept only in a rich trace, and never digested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
