//! Segments that are lost independently of one another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, is_rate, scaled_rate};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// Each segment on the link is lost with probability `rate` per transmission. Lost bytes are sent again after the
/// retransmission timeout, a lost connection request after a second, a datagram never. The fate of each transmission is decided once: of
/// two such faults on one link at the same time, the one with the higher rate applies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Probability in `[0, 1]`.
    pub rate: f64,
}

/// Segments between the two sides are lost with probability `rate` per transmission.
pub fn loss(rate: f64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(Loss { rate }, from, to)
}

impl Kind for Loss {
    fn name(&self) -> &'static str {
        "loss"
    }

    fn parameters_in_words(&self) -> String {
        format!("{:.1} %", self.rate * 100.0)
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "loss",
            is_seen_in_segments: true,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::loss(rate, from, to)",
            seen: "bytes are late by a retransmission timeout (round trip plus 200 ms, doubled each time), a connect \
             by a second; a datagram never comes",
            parameters: &[("rate", "probability in [0, 1] that a transmission is lost")],
        }
    }

    fn example() -> Loss {
        Loss { rate: 0.01 }
    }

    fn defect(&self) -> Option<String> {
        (!is_rate(self.rate)).then(|| format!("loss rate {} is not between 0 and 1", self.rate))
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        Loss { rate: scaled_rate(self.rate, intensity) }.into()
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
        format!("fault::loss({:?}, {target})", self.rate)
    }
}
