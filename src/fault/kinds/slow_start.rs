//! Programs that begin to listen late.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, smaller_times};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, rust_code, secs, text_duration};

/// A program that starts during the fault begins to listen late, on every port, for as long as it lives. Until then,
/// connects are refused. Several such faults at the same time add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowStart {
    /// The delay from a program's call to listen until it takes effect.
    #[serde(with = "text_duration")]
    pub by: Duration,
}

/// Programs that start during the fault begin to listen this much later.
pub fn slow_start(by: Duration, hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(SlowStart { by }, hosts)
}

impl Kind for SlowStart {
    fn name(&self) -> &'static str {
        "slow start"
    }

    fn parameters_in_words(&self) -> String {
        format!("by {}", duration_text(self.by))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "slow start",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::slow_start(by, hosts)",
            seen: "connects are refused for longer after a restart during the fault; without a restart, nothing",
            parameters: &[("by", "delay until a program listens, after each start during the fault")],
        }
    }

    fn example() -> SlowStart {
        SlowStart { by: secs(2) }
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        SlowStart { by: intensity.lengthen(self.by) }.into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        Vec::new()
    }

    fn milder(&self) -> Vec<FaultKind> {
        smaller_times(self.by).map(|by| SlowStart { by }.into()).collect()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::slow_start({}, {target})", rust_code::duration(self.by))
    }
}
