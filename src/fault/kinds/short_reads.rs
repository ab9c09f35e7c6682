//! Reads from connections that return few bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// Each read from a connection by the hosts' programs returns at most this many bytes, even if more are available.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortReads {
    /// The most bytes that a read returns; at least 1.
    pub at_most_bytes: u64,
}

/// Each read from a connection on these hosts returns at most this many bytes.
pub fn short_reads(hosts: impl Into<Selector>, at_most_bytes: u64) -> FaultGenerator {
    FaultGenerator::on_hosts(ShortReads { at_most_bytes }, hosts)
}

impl Kind for ShortReads {
    fn name(&self) -> &'static str {
        "short reads"
    }

    fn parameters_in_words(&self) -> String {
        format!("of at most {}", bytes_text(self.at_most_bytes))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "short reads",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::short_reads(hosts, at_most_bytes)",
            seen: "the machine's own program reads few bytes at a time, even if more are available",
            parameters: &[("at_most_bytes", "most bytes that a read returns, at least 1")],
        }
    }

    fn example() -> ShortReads {
        ShortReads { at_most_bytes: 1 }
    }

    fn defect(&self) -> Option<String> {
        let is_nothing = self.at_most_bytes == 0;
        is_nothing
            .then(|| "a read of 0 bytes would be the end of the stream: `at_most_bytes` must be at least 1".to_owned())
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        if self.at_most_bytes < 2 { Vec::new() } else { vec![ShortReads { at_most_bytes: 1 }.into()] }
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::short_reads({target}, {})", rust_code::grouped(self.at_most_bytes))
    }
}
