//! Connections that stall until the end of the fault.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Hold, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// Once `after_bytes` bytes have been sent on a connection in one direction during the fault, nothing more passes in
/// this direction until the end of the fault; then everything passes at once. New connects still succeed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// Bytes that pass before the stall.
    pub after_bytes: u64,
}

/// After `after_bytes` more bytes in one direction of a connection between the two sides, nothing more passes in this
/// direction until the end of the fault.
pub fn stall(after_bytes: u64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(Stall { after_bytes }, from, to)
}

impl Kind for Stall {
    fn name(&self) -> &'static str {
        "stall"
    }

    fn parameters_in_words(&self) -> String {
        format!("after {}", bytes_text(self.after_bytes))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "stall",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: Some("stalls it"),
            written: "fault::stall(after_bytes, from, to)",
            seen: "for example, the headers arrive, but not the body before the end of the fault",
            parameters: &[("after_bytes", "bytes that pass in one direction of each connection before it stalls")],
        }
    }

    fn example() -> Stall {
        Stall { after_bytes: 100 }
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        if self.after_bytes == 0 {
            return vec![Hold {}.into()];
        }
        vec![Hold {}.into(), Stall { after_bytes: 0 }.into()]
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::stall({}, {target})", rust_code::grouped(self.after_bytes))
    }
}
