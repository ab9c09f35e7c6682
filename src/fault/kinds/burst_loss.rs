//! Segments that are lost in bursts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, is_rate};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, millis, rust_code, secs, text_duration};

/// Segments are lost in bursts: each direction of the link is either good or in a burst, and a burst loses segments
/// with probability `rate` per transmission. The state changes at random from one [`BURST_SLOT`] to the next, after
/// Gilbert, "Capacity of a burst-noise channel" (1960), with a rate within bursts as in Elliott (1963).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BurstLoss {
    /// The mean time from the end of one burst to the beginning of the next, at least [`BURST_SLOT`].
    #[serde(with = "text_duration")]
    pub gap: Duration,
    /// The mean length of a burst, at least [`BURST_SLOT`].
    #[serde(with = "text_duration")]
    pub burst: Duration,
    /// Probability in `[0, 1]` that a burst loses a transmission.
    pub rate: f64,
}

/// Segments between the two sides are lost in bursts of mean length `burst`, which come a mean time of `gap` apart. A
/// burst loses a transmission with probability `rate`.
pub fn burst_loss(
    gap: Duration,
    burst: Duration,
    rate: f64,
    from: impl Into<Selector>,
    to: impl Into<Selector>,
) -> FaultGenerator {
    FaultGenerator::on_links(BurstLoss { gap, burst, rate }, from, to)
}

impl Kind for BurstLoss {
    fn name(&self) -> &'static str {
        "burst loss"
    }

    fn parameters_in_words(&self) -> String {
        let (gap, burst) = (duration_text(self.gap), duration_text(self.burst));
        format!("{:.1} % in bursts of {burst}, {gap} apart", self.rate * 100.0)
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "burst loss",
            is_seen_in_segments: true,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::burst_loss(gap, burst, rate, from, to)",
            seen: "as with loss, but in bursts: for a while little or nothing gets through, then everything does",
            parameters: &[
                ("gap", "mean time from the end of one burst to the beginning of the next, at least 10 ms"),
                ("burst", "mean length of a burst, at least 10 ms"),
                ("rate", "probability in [0, 1] that a burst loses a transmission"),
            ],
        }
    }

    fn example() -> BurstLoss {
        BurstLoss { gap: secs(1), burst: millis(100), rate: 1.0 }
    }

    fn defect(&self) -> Option<String> {
        if !is_rate(self.rate) {
            return Some(format!("burst loss rate {} is not between 0 and 1", self.rate));
        }
        let is_short = self.gap.min(self.burst) < BURST_SLOT;
        is_short.then(|| format!("burst loss needs a `gap` and a `burst` of at least {}", duration_text(BURST_SLOT)))
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        BurstLoss { gap: intensity.shorten(self.gap).max(BURST_SLOT), ..self.clone() }.into()
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
        let (gap, burst) = (rust_code::duration(self.gap), rust_code::duration(self.burst));
        format!("fault::burst_loss({gap}, {burst}, {:?}, {target})", self.rate)
    }
}

/// The time for which a link under burst loss stays in a state is a multiple of this.
pub const BURST_SLOT: Duration = millis(10);
