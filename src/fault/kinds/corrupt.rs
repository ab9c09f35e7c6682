//! Segments with a flipped bit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, is_rate, scaled_rate};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// Each segment with data has one bit flipped, with probability `rate`. The head of an HTTP/1 message stays intact: in
/// a segment that begins with a head or contains the end of one, only a byte after it is changed, if there is any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// Probability in `[0, 1]`.
    pub rate: f64,
}

/// With probability `rate`, a segment with data between the two sides has one bit flipped.
pub fn corrupt(rate: f64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(Corrupt { rate }, from, to)
}

impl Kind for Corrupt {
    fn name(&self) -> &'static str {
        "corrupt"
    }

    fn parameters_in_words(&self) -> String {
        format!("{:.1} %", self.rate * 100.0)
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "flip",
            is_seen_in_segments: true,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::corrupt(rate, from, to)",
            seen: "a byte of a body differs from what was sent, and no checksum of the network detects it",
            parameters: &[("rate", "probability in [0, 1] that a segment has a flipped bit")],
        }
    }

    fn example() -> Corrupt {
        Corrupt { rate: 0.01 }
    }

    fn defect(&self) -> Option<String> {
        (!is_rate(self.rate)).then(|| format!("corrupt rate {} is not between 0 and 1", self.rate))
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        Corrupt { rate: scaled_rate(self.rate, intensity) }.into()
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
        format!("fault::corrupt({:?}, {target})", self.rate)
    }
}
