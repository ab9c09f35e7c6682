//! Names that lead nowhere.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// The names of the second side lead the first to an address at which nobody is: a connect hangs until its client gives
/// up, or the kernel after 131 s. Open connections go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsBlackhole {}

/// Names of the second side that lead hosts of the first to an address at which nobody is.
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
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::dns_blackhole(from, to)",
            seen: "a connect by name hangs, for 131 s at the longest; open connections and addresses are as always",
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
