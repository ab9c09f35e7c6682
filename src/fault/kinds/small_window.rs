//! Connections with room for a few bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// Each connection to the hosts has room for so many bytes that are on the way or unread, from its beginning to its
/// end. Who sends knows of both at once; of room that reading makes, after the latency of the link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmallWindow {
    /// Bytes; at least 1, and without effect if there is not as much room anyway.
    pub bytes: u64,
}

/// Each connection to these hosts has room for so many bytes that are on the way or unread.
pub fn small_window(hosts: impl Into<Selector>, bytes: u64) -> FaultGenerator {
    FaultGenerator::on_hosts(SmallWindow { bytes }, hosts)
}

impl Kind for SmallWindow {
    fn name(&self) -> &'static str {
        "small window"
    }

    fn parameters_in_words(&self) -> String {
        format!("of {}", bytes_text(self.bytes))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::small_window(hosts, bytes)",
            seen: "who sends to the machine must wait until it reads: backpressure after so many bytes",
            parameters: &[("bytes", "what may be on the way or unread on each connection, at least 1")],
        }
    }

    fn example() -> SmallWindow {
        SmallWindow { bytes: 1_000 }
    }

    fn defect(&self) -> Option<String> {
        let is_nothing = self.bytes == 0;
        is_nothing.then(|| "a window of nothing is a stall; there must be room for at least 1 byte".to_owned())
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        Vec::new()
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::small_window({target}, {})", rust_code::grouped(self.bytes))
    }
}
