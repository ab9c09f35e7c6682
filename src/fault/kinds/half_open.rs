//! Half-open connections, which one side has forgotten.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// When the fault begins, the kernels of the second side forget their open connections with the first, without sending
/// anything. Their own programs see a reset; the first side considers a connection open until it sends on it, which is
/// answered with a reset. New connections work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HalfOpen {}

/// The second side forgets its connections with the first, which is not notified.
pub fn half_open(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(HalfOpen {}, from, to).one_way()
}

impl Kind for HalfOpen {
    fn name(&self) -> &'static str {
        "half-open"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::LinksOneWay,
            draw_key: "half-open",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::half_open(from, to)",
            seen: "the second side has forgotten its connections with the first, which is reset a round trip after it \
             sends",
            parameters: &[],
        }
    }

    fn example() -> HalfOpen {
        HalfOpen {}
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
        format!("fault::half_open({target})")
    }
}
