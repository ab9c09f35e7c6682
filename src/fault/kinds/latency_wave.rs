//! Segments that are delayed by a time that rises and falls.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, millis, rust_code, text_duration};

/// Each segment on the link is delayed by an extra time that rises linearly from 0 to `peak` in the middle of the
/// fault, and falls linearly to 0 at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyWave {
    /// The delay in the middle of the fault.
    #[serde(with = "text_duration")]
    pub peak: Duration,
}

/// Segments between the two sides are delayed by an extra time that rises to `peak` and falls again.
pub fn latency_wave(peak: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(LatencyWave { peak }, from, to)
}

impl Kind for LatencyWave {
    fn name(&self) -> &'static str {
        "latency wave"
    }

    fn parameters_in_words(&self) -> String {
        format!("up to +{}", duration_text(self.peak))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "latency wave",
            is_seen_in_segments: true,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::latency_wave(peak, from, to)",
            seen: "round trips grow steadily until the middle of the fault, then shrink again",
            parameters: &[("peak", "delay of a segment in the middle of the fault")],
        }
    }

    fn example() -> LatencyWave {
        LatencyWave { peak: millis(500) }
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        LatencyWave { peak: intensity.lengthen(self.peak) }.into()
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
        format!("fault::latency_wave({}, {target})", rust_code::duration(self.peak))
    }
}
