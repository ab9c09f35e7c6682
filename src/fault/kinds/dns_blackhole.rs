//! Names that resolve to an unreachable address.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// For the first side, the names of the second resolve to an address that no host has: a connect hangs until its client
/// gives up, or the kernel does after 131 s. Open connections are not affected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsBlackhole {}

/// For hosts of the first side, names of the second side resolve to an address that no host has.
pub fn dns_blackhole(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(DnsBlackhole {}, from, to).one_way()
}

impl Kind for DnsBlackhole {
    fn name(&self) -> &'static str {
        "dns blackhole"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Names,
            draw_key: "dead resolution",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::dns_blackhole(from, to)",
            seen: "a connect by name hangs for up to 131 s; open connections and connects by address are not affected",
            parameters: &[],
        }
    }

    fn example() -> DnsBlackhole {
        DnsBlackhole {}
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
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
        format!("fault::dns_blackhole({target})")
    }
}
