//! Connections whose bytes arrive a few at a time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, millis, rust_code, text_duration};

/// The bytes of each connection arrive slowly in each direction: `bytes` of them at once, then as many after each
/// interval of `every`. The rest arrives at the end of the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trickle {
    /// The number of bytes that arrive together; at least 1.
    pub bytes: u64,
    /// The time from one arrival to the next; more than 0.
    #[serde(with = "text_duration")]
    pub every: Duration,
}

/// On each connection between the two sides, `bytes` bytes arrive at a time, at intervals of `every`.
pub fn trickle(bytes: u64, every: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(Trickle { bytes, every }, from, to)
}

impl Kind for Trickle {
    fn name(&self) -> &'static str {
        "trickle"
    }

    fn parameters_in_words(&self) -> String {
        format!("{} each {}", bytes_text(self.bytes), duration_text(self.every))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "drip",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: Some("slows it to a trickle"),
            written: "fault::trickle(bytes, every, from, to)",
            seen: "the bytes of each connection arrive a few at a time",
            parameters: &[
                ("bytes", "bytes that arrive together, at least 1"),
                ("every", "time from one arrival to the next"),
            ],
        }
    }

    fn example() -> Trickle {
        Trickle { bytes: 10, every: millis(100) }
    }

    fn defect(&self) -> Option<String> {
        if self.bytes == 0 {
            return Some("a trickle of 0 bytes would be a stall: `bytes` must be at least 1".to_owned());
        }
        let is_at_once = self.every.is_zero();
        is_at_once.then(|| "a trickle needs a time between arrivals: `every` must be more than 0".to_owned())
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        if self.bytes < 2 { Vec::new() } else { vec![Trickle { bytes: 1, every: self.every }.into()] }
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::trickle({}, {}, {target})", rust_code::grouped(self.bytes), rust_code::duration(self.every))
    }
}
