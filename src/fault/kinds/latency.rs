//! Segments that are each delayed by a random time.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, millis, rust_code, text_duration};

/// Each segment on the link is delayed by an extra time drawn uniformly from `at_least..=at_most`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The minimum delay added to a segment.
    #[serde(with = "text_duration")]
    pub at_least: Duration,
    /// The maximum delay added to a segment.
    #[serde(with = "text_duration")]
    pub at_most: Duration,
}

/// Segments between the two sides are delayed by an extra time drawn from `extra`.
pub fn latency(extra: Range<Duration>, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(Latency { at_least: extra.start, at_most: extra.end }, from, to)
}

impl Kind for Latency {
    fn name(&self) -> &'static str {
        "latency"
    }

    fn parameters_in_words(&self) -> String {
        format!("+{}..{}", duration_text(self.at_least), duration_text(self.at_most))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "latency",
            is_seen_in_segments: true,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::latency(at_least..at_most, from, to)",
            seen: "everything is late by a time that varies from segment to segment; bytes stay in order",
            parameters: &[
                ("at_least", "minimum delay added to each segment"),
                ("at_most", "maximum delay added to each segment"),
            ],
        }
    }

    fn example() -> Latency {
        Latency { at_least: millis(10), at_most: millis(100) }
    }

    fn defect(&self) -> Option<String> {
        (self.at_least > self.at_most).then(|| "latency `at_least` exceeds `at_most`".to_owned())
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        Latency { at_least: intensity.lengthen(self.at_least), at_most: intensity.lengthen(self.at_most) }.into()
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
        let (at_least, at_most) = (rust_code::duration(self.at_least), rust_code::duration(self.at_most));
        format!("fault::latency({at_least}..{at_most}, {target})")
    }
}
