//! Names that are not found.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// The first side cannot resolve the names of the second: a connect fails at once, as it does for a name that does not
/// exist. Open connections are not affected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsNotFound {}

/// Hosts of the first side cannot resolve names of the second side.
pub fn dns_not_found(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(DnsNotFound {}, from, to).one_way()
}

impl Kind for DnsNotFound {
    fn name(&self) -> &'static str {
        "dns not found"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Names,
            draw_key: "no resolution",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::dns_not_found(from, to)",
            seen: "a connect by name fails at once, as for an unknown name; open connections and connects by address \
             are not affected",
            parameters: &[],
        }
    }

    fn example() -> DnsNotFound {
        DnsNotFound {}
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
        format!("fault::dns_not_found({target})")
    }
}
