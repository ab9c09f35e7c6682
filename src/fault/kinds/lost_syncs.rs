//! Disks whose syncs do nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// Syncs of the machine's disk do nothing but report success: a power off then loses data that programs consider
/// durable. A sync after the end of the fault saves everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostSyncs {}

/// Disks whose syncs do nothing but report success.
pub fn lost_syncs(hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(LostSyncs {}, hosts)
}

impl Kind for LostSyncs {
    fn name(&self) -> &'static str {
        "lost syncs"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "lost syncs",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::lost_syncs(hosts)",
            seen: "nothing, until a power off loses data that was synced",
            parameters: &[],
        }
    }

    fn example() -> LostSyncs {
        LostSyncs {}
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
        format!("fault::lost_syncs({target})")
    }
}
