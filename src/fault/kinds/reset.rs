//! Connections that are reset in the middle of a stream.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// Each connection is reset once, in the middle of a stream: when `after_bytes` bytes have been sent on it in one
/// direction during the fault, the receiver gets exactly these bytes and then a reset, and the sender is reset after
/// one latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// Bytes that pass before the reset; with 0, the whole message is lost.
    pub after_bytes: u64,
}

/// Connections between the two sides are reset when `after_bytes` more bytes have been sent on them in one direction.
pub fn reset(after_bytes: u64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(Reset { after_bytes }, from, to)
}

impl Kind for Reset {
    fn name(&self) -> &'static str {
        "reset"
    }

    fn parameters_in_words(&self) -> String {
        format!("after {}", bytes_text(self.after_bytes))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "reset",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: Some("resets its connection"),
            written: "fault::reset(after_bytes, from, to)",
            seen: "each connection is reset once, in the middle of a message: exactly `after_bytes` bytes, then a \
             reset of both ends",
            parameters: &[("after_bytes", "bytes that still pass in one direction; 0 loses the whole message")],
        }
    }

    fn example() -> Reset {
        Reset { after_bytes: 100 }
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        if self.after_bytes == 0 { Vec::new() } else { vec![Reset { after_bytes: 0 }.into()] }
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::reset({}, {target})", rust_code::grouped(self.after_bytes))
    }
}
