//! Wall clocks that run at the wrong speed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ClockSkew, Facts, FaultKind, Kind, KindTarget, smaller_numbers};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// The wall clock runs at the wrong speed: it is right when the fault begins, and steps to the true time when it ends,
/// like a clock that is set again. Monotonic clocks stay right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockDrift {
    /// The error in microseconds per second; negative if the clock is slow. It is not 0, and less than 10^6 in either
    /// direction.
    pub parts_per_million: i64,
}

/// Wall clocks that run faster (or slower, if negative) by this many microseconds per second, and are set right at the
/// end of the fault.
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
            draw_key: "clock drift",
            is_seen_in_segments: false,
            generators_differ_by_parameters: true,
            effect_on_a_message: None,
            written: "fault::clock_drift(parts_per_million, hosts)",
            seen: "the wall clock drifts away, and steps to the true time at the end; monotonic clocks stay right",
            parameters: &[("parts_per_million", "error in microseconds per second; negative if the clock is slow")],
        }
    }

    fn example() -> ClockDrift {
        ClockDrift { parts_per_million: 500 }
    }

    fn defect(&self) -> Option<String> {
        let ppm = self.parts_per_million;
        let is_refused = ppm == 0 || ppm.unsigned_abs() >= 1_000_000;
        is_refused.then(|| {
            format!("a clock drift of {ppm} ppm is out of range: it must not be 0, and less than 10^6 either way")
        })
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, lasting: Duration) -> Vec<FaultKind> {
        // The error that the drift reaches at its end.
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
