//! Datagrams that arrive twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, is_rate, scaled_rate};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// Each datagram on the link arrives a second time with probability `rate`, after a latency of its own. The bytes of
/// connections are not affected: their kernels discard what they have received already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// Probability in `[0, 1]`.
    pub rate: f64,
}

/// Datagrams between the two sides arrive twice with probability `rate`.
pub fn duplicate(rate: f64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(Duplicate { rate }, from, to)
}

impl Kind for Duplicate {
    fn name(&self) -> &'static str {
        "duplicate"
    }

    fn parameters_in_words(&self) -> String {
        format!("{:.1} %", self.rate * 100.0)
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "duplicate",
            is_seen_in_segments: true,
            generators_differ_by_parameters: false,
            effect_on_a_message: Some("lets it arrive twice"),
            written: "fault::duplicate(rate, from, to)",
            seen: "a datagram arrives twice, the second time perhaps before the first; connections are not affected",
            parameters: &[("rate", "probability in [0, 1] that a datagram arrives twice")],
        }
    }

    fn example() -> Duplicate {
        Duplicate { rate: 0.01 }
    }

    fn defect(&self) -> Option<String> {
        (!is_rate(self.rate)).then(|| format!("duplicate rate {} is not between 0 and 1", self.rate))
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        Duplicate { rate: scaled_rate(self.rate, intensity) }.into()
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
        format!("fault::duplicate({:?}, {target})", self.rate)
    }
}
