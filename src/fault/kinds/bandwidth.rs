//! Links with limited bandwidth, with a queue.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// Each direction of the link has a limited bandwidth. Segments that it cannot carry yet wait in a queue, in order. A
/// segment that finds the queue full is lost, and sent again after the retransmission timeout. A deep queue simulates
/// bufferbloat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Bytes that pass in a second, headers included; at least 1.
    pub bytes_per_second: u64,
    /// Bytes that may wait in the queue. A segment that finds the link idle passes whatever its size.
    pub queue_bytes: u64,
}

/// Each direction between two hosts carries `bytes_per_second`, and up to `queue_bytes` wait in its queue.
pub fn bandwidth(
    bytes_per_second: u64,
    queue_bytes: u64,
    from: impl Into<Selector>,
    to: impl Into<Selector>,
) -> FaultGenerator {
    FaultGenerator::on_links(Bandwidth { bytes_per_second, queue_bytes }, from, to)
}

impl Kind for Bandwidth {
    fn name(&self) -> &'static str {
        "bandwidth"
    }

    fn parameters_in_words(&self) -> String {
        format!("{} per second, queue {}", bytes_text(self.bytes_per_second), bytes_text(self.queue_bytes))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "bandwidth",
            is_seen_in_segments: true,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::bandwidth(bytes_per_second, queue_bytes, from, to)",
            seen: "throughput is limited, and under load all senders on the link wait in its queue; what overflows is \
             lost",
            parameters: &[
                (
                    "bytes_per_second",
                    "bytes that each direction between two hosts carries per second, headers included",
                ),
                ("queue_bytes", "bytes that may wait in the queue; beyond it, segments are lost"),
            ],
        }
    }

    fn example() -> Bandwidth {
        Bandwidth { bytes_per_second: 100_000, queue_bytes: 1_000_000 }
    }

    fn defect(&self) -> Option<String> {
        let is_nothing = self.bytes_per_second == 0;
        is_nothing.then(|| "a bandwidth of 0 would be a partition: `bytes_per_second` must be at least 1".to_owned())
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        let bytes = (self.bytes_per_second as f64 / intensity.times(1.0)).max(1.0);
        Bandwidth { bytes_per_second: bytes as u64, queue_bytes: self.queue_bytes }.into()
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
        let (bytes_per_second, queue_bytes) =
            (rust_code::grouped(self.bytes_per_second), rust_code::grouped(self.queue_bytes));
        format!("fault::bandwidth({bytes_per_second}, {queue_bytes}, {target})")
    }
}
