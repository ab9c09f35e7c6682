//! Connections with a small receive window.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// Each connection to the hosts has room for this many bytes in flight or unread, while the fault lasts. Senders learn
/// of the beginning and the end of the fault at once, and of room freed by reading one latency of the link later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmallWindow {
    /// The size of the window; at least 1. A window that is already smaller is unchanged.
    pub bytes: u64,
}

/// Each connection to these hosts has room for this many bytes in flight or unread.
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
            draw_key: "small window",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::small_window(hosts, bytes)",
            seen: "a sender to the machine must wait until it reads: backpressure after this many bytes",
            parameters: &[("bytes", "bytes that may be in flight or unread on each connection, at least 1")],
        }
    }

    fn example() -> SmallWindow {
        SmallWindow { bytes: 1_000 }
    }

    fn defect(&self) -> Option<String> {
        let is_nothing = self.bytes == 0;
        is_nothing.then(|| "a window of 0 bytes would be a stall: `bytes` must be at least 1".to_owned())
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
