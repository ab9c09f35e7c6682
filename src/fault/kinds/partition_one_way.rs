//! Links on which nothing passes in one direction.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// Nothing passes from the first side to the second; the other direction works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionOneWay {}

/// No segment passes from the first side to the second.
pub fn partition_one_way(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(PartitionOneWay {}, from, to)
}

impl Kind for PartitionOneWay {
    fn name(&self) -> &'static str {
        "one-way partition"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::LinksOneWay,
            draw_key: "one-way partition",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::partition_one_way(from, to)",
            seen: "one direction is silent: requests arrive and responses do not, or the other way round",
            parameters: &[],
        }
    }

    fn example() -> PartitionOneWay {
        PartitionOneWay {}
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
        format!("fault::partition_one_way({target})")
    }
}
