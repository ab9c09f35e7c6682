//! Names that resolve slowly.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, smaller_times};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, rust_code, secs, text_duration};

/// Names resolve slowly: each connect of the first side to a name of the second waits before it sends its first packet.
/// Several such faults at the same time add up. Connects by address do not wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsSlow {
    /// The delay added to each lookup.
    #[serde(with = "text_duration")]
    pub by: Duration,
}

/// For hosts of the first side, names of the second side resolve after this delay.
pub fn dns_slow(by: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(DnsSlow { by }, from, to).one_way()
}

impl Kind for DnsSlow {
    fn name(&self) -> &'static str {
        "dns slow"
    }

    fn parameters_in_words(&self) -> String {
        format!("by {}", duration_text(self.by))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Names,
            draw_key: "late resolution",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::dns_slow(by, from, to)",
            seen: "a connect by name waits before its first packet; open connections and connects by address are not \
             affected",
            parameters: &[("by", "delay added to each lookup")],
        }
    }

    fn example() -> DnsSlow {
        DnsSlow { by: secs(3) }
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        DnsSlow { by: intensity.lengthen(self.by) }.into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        Vec::new()
    }

    fn milder(&self) -> Vec<FaultKind> {
        smaller_times(self.by).map(|by| DnsSlow { by }.into()).collect()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::dns_slow({}, {target})", rust_code::duration(self.by))
    }
}
