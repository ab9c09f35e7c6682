//! Wall clocks that run at a wrong speed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ClockSkew, Facts, FaultKind, Kind, KindTarget, smaller_numbers};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// The wall clock runs at a wrong speed: it is right when the fault begins, and steps back to the true time at its end,
/// as a clock does that is set anew. Monotonic clocks stay right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockDrift {
    /// By how many microseconds it is wrong after a second; negative if it is slow. Not 0, and less than a million
    /// either way.
    pub parts_per_million: i64,
}

/// Wall clocks that run faster by so many microseconds a second, or slower, and are set right at the end of the fault.
pub fn clock_drift(parts_per_million: i64, hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(ClockDrift { parts_per_million }, hosts)
}

impl Kind for ClockDrift {
    fn name(&self) -> &'static str {
        "clock drift"
    }

    fn parameters_in_words(&self) -> String {
        format!("{:+} ppm", self.parts_per_million)
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            is_seen_in_segments: false,
            generators_differ_by_parameters: true,
            effect_on_a_message: None,
            written: "fault::clock_drift(parts_per_million, hosts)",
            seen: "the wall clock goes wrong slowly, and steps back to the true time at the end; monotonic clocks do not",
            parameters: &[("parts_per_million", "how many microseconds a second it is too fast; negative is too slow")],
        }
    }

    fn example() -> ClockDrift {
        ClockDrift { parts_per_million: 500 }
    }

    fn defect(&self) -> Option<String> {
        let ppm = self.parts_per_million;
        let is_refused = ppm == 0 || ppm.unsigned_abs() >= 1_000_000;
        is_refused.then(|| format!("a clock drift of {ppm} ppm is nothing, or not less than a million"))
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, lasting: Duration) -> Vec<FaultKind> {
        // As far off as the drift comes to at its end.
        let by_ms = lasting.as_millis() as i64 * self.parts_per_million / 1_000_000;
        if by_ms == 0 { Vec::new() } else { vec![ClockSkew { by_ms }.into()] }
    }

    fn milder(&self) -> Vec<FaultKind> {
        let smaller = smaller_numbers(self.parts_per_million);
        smaller.map(|parts_per_million| ClockDrift { parts_per_million }.into()).collect()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::clock_drift({}, {target})", rust_code::signed(self.parts_per_million))
    }
}
