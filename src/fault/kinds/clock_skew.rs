//! Wall clocks that are off by a fixed time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, smaller_numbers};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, millis, rust_code};

/// The wall clock is wrong: it jumps when the fault begins, and back when the fault ends. Monotonic clocks stay right.
/// Skews and drifts at the same time add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockSkew {
    /// The error in milliseconds; negative is in the past. It is not 0, and at most 10^12 in either direction.
    pub by_ms: i64,
}

/// Wall clocks that are off by this many milliseconds; negative is in the past.
pub fn clock_skew(by_ms: i64, hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(ClockSkew { by_ms }, hosts)
}

impl Kind for ClockSkew {
    fn name(&self) -> &'static str {
        "clock skew"
    }

    fn parameters_in_words(&self) -> String {
        let sign = if self.by_ms < 0 { '-' } else { '+' };
        format!("{sign}{}", duration_text(millis(self.by_ms.unsigned_abs())))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "clock skew",
            is_seen_in_segments: false,
            generators_differ_by_parameters: true,
            effect_on_a_message: None,
            written: "fault::clock_skew(by_ms, hosts)",
            seen: "the wall clock jumps, and jumps back at the end; monotonic clocks stay right",
            parameters: &[("by_ms", "error in milliseconds; negative is in the past")],
        }
    }

    fn example() -> ClockSkew {
        ClockSkew { by_ms: 3_600_000 }
    }

    fn defect(&self) -> Option<String> {
        let by_ms = self.by_ms;
        let is_refused = by_ms == 0 || by_ms.unsigned_abs() > LARGEST_SKEW_MS;
        is_refused.then(|| {
            format!("a clock skew of {by_ms} ms is out of range: it must not be 0, and at most 10^12 ms either way")
        })
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        Vec::new()
    }

    fn milder(&self) -> Vec<FaultKind> {
        smaller_numbers(self.by_ms).map(|by_ms| ClockSkew { by_ms }.into()).collect()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::clock_skew({}, {target})", rust_code::signed(self.by_ms))
    }
}

/// The largest error of a wall clock, about 31 years: sums of several stay far from the limits of 64 bits.
const LARGEST_SKEW_MS: u64 = 1_000_000_000_000;
