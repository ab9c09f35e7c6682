//! Links on which nothing passes and senders get a reset.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, Partition};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// Nothing passes between the two sides: a firewall in the middle of the link drops each segment and sends a reset
/// back, which arrives after one latency of the link. Connects are refused; open connections are reset when they next
/// send. Code on plain turmoil sockets sees silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionWithReset {}

/// No segment passes between the two sides, and each sender is answered with a reset.
pub fn partition_with_reset(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(PartitionWithReset {}, from, to)
}

impl Kind for PartitionWithReset {
    fn name(&self) -> &'static str {
        "partition with reset"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "reject",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::partition_with_reset(from, to)",
            seen: "a firewall rejects everything: connects are refused, and an open connection is reset when it next \
             sends",
            parameters: &[],
        }
    }

    fn example() -> PartitionWithReset {
        PartitionWithReset {}
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        vec![Partition {}.into()]
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::partition_with_reset({target})")
    }
}
