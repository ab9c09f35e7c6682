//! Writes to connections that accept few bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// Each write to a connection by the hosts' programs accepts at most this many bytes, even if there is room for more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortWrites {
    /// The most bytes that a write accepts; at least 1.
    pub at_most_bytes: u64,
}

/// Each write to a connection on these hosts accepts at most this many bytes.
pub fn short_writes(hosts: impl Into<Selector>, at_most_bytes: u64) -> FaultGenerator {
    FaultGenerator::on_hosts(ShortWrites { at_most_bytes }, hosts)
}

impl Kind for ShortWrites {
    fn name(&self) -> &'static str {
        "short writes"
    }

    fn parameters_in_words(&self) -> String {
        format!("of at most {}", bytes_text(self.at_most_bytes))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "short writes",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::short_writes(hosts, at_most_bytes)",
            seen: "each write of the machine's own program accepts few bytes, and the program must write the rest \
             again",
            parameters: &[("at_most_bytes", "most bytes that a write accepts, at least 1")],
        }
    }

    fn example() -> ShortWrites {
        ShortWrites { at_most_bytes: 1 }
    }

    fn defect(&self) -> Option<String> {
        (self.at_most_bytes == 0)
            .then(|| "a write that accepts 0 bytes would never end: `at_most_bytes` must be at least 1".to_owned())
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        if self.at_most_bytes < 2 { Vec::new() } else { vec![ShortWrites { at_most_bytes: 1 }.into()] }
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::short_writes({target}, {})", rust_code::grouped(self.at_most_bytes))
    }
}
