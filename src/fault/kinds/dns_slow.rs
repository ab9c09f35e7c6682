//! Names that take long to be found.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, smaller_times};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, rust_code, secs, text_duration};

/// Names are looked up slowly: each connect of the first side to a name of the second waits before it asks for a
/// connection. Several at a time add up. Addresses are not looked up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsSlow {
    /// How long it takes to find the address.
    #[serde(with = "text_duration")]
    pub by: Duration,
}

/// Names of the second side that hosts of the first find after this time.
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
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::dns_slow(by, from, to)",
            seen: "a connect by name takes longer, before the first packet; open connections and addresses are as always",
            parameters: &[("by", "how long a name takes to be found")],
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
