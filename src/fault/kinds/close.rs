//! Connections that are closed in the middle of a stream.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, Reset, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// Like [`Reset`](super::Reset), but orderly: the receiver gets exactly `after_bytes` bytes and then the end of the
/// stream, the sender gets the end of the stream too, and a later write is answered with a reset after one latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// Bytes that pass before the end of the stream.
    pub after_bytes: u64,
}

/// Connections between the two sides are closed when `after_bytes` more bytes have been sent on them in one direction.
pub fn close(after_bytes: u64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(Close { after_bytes }, from, to)
}

impl Kind for Close {
    fn name(&self) -> &'static str {
        "close"
    }

    fn parameters_in_words(&self) -> String {
        format!("after {}", bytes_text(self.after_bytes))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "cut",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: Some("closes its connection"),
            written: "fault::close(after_bytes, from, to)",
            seen: "a message is cut short: exactly `after_bytes` bytes, then the end of the stream; a later write is \
             reset",
            parameters: &[("after_bytes", "bytes that still pass in one direction")],
        }
    }

    fn example() -> Close {
        Close { after_bytes: 100 }
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        let after_bytes = self.after_bytes;
        if after_bytes == 0 {
            return vec![Reset { after_bytes: 0 }.into()];
        }
        vec![Reset { after_bytes: 0 }.into(), Reset { after_bytes }.into(), Close { after_bytes: 0 }.into()]
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::close({}, {target})", rust_code::grouped(self.after_bytes))
    }
}
