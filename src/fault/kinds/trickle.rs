//! Connections whose bytes arrive a few at a time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, millis, rust_code, text_duration};

/// The bytes of each connection arrive slowly, in each direction: `bytes` of them at once, and then as many each
/// `every`. What is left at the end arrives then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trickle {
    /// How many bytes arrive together; at least 1.
    pub bytes: u64,
    /// The time from one such arrival to the next; more than nothing.
    #[serde(with = "text_duration")]
    pub every: Duration,
}

/// Of each connection between the two sides, `bytes` bytes arrive each `every`.
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
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: Some("slows it to a trickle"),
            written: "fault::trickle(bytes, every, from, to)",
            seen: "the bytes of each connection arrive a few at a time",
            parameters: &[
                ("bytes", "how many arrive together, at least 1"),
                ("every", "from one such arrival to the next"),
            ],
        }
    }

    fn example() -> Trickle {
        Trickle { bytes: 10, every: millis(100) }
    }

    fn defect(&self) -> Option<String> {
        if self.bytes == 0 {
            return Some("a trickle of nothing is a stall; at least 1 byte must arrive each time".to_owned());
        }
        let is_at_once = self.every.is_zero();
        is_at_once.then(|| "a trickle needs some time from one arrival to the next (`every`)".to_owned())
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
