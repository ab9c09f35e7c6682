//! Connections that are closed while they are idle.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, rust_code, secs, text_duration};

/// Connections between the two sides are closed while they are idle, which means that nothing is in flight and nothing
/// is unread. Both ends get the end of the stream, as if the other end had sent it just then; a later write, even one
/// from before the end of the stream arrives, is answered with a reset after one latency. This closes every connection
/// that is idle when the fault begins, and from then on every connection that has been idle for `idle_for`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseIdle {
    /// How long a connection must be idle during the fault before it is closed, to the precision of a step.
    #[serde(with = "text_duration")]
    pub idle_for: Duration,
}

/// Idle connections between the two sides are closed: at the beginning, and then whenever one has been idle for
/// `idle_for`. With a one-way target, only those that the first side opened are closed.
pub fn close_idle(idle_for: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_links(CloseIdle { idle_for }, from, to)
}

impl Kind for CloseIdle {
    fn name(&self) -> &'static str {
        "close idle"
    }

    fn parameters_in_words(&self) -> String {
        format!("after {}", duration_text(self.idle_for))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "close idle",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::close_idle(idle_for, from, to)",
            seen: "an idle connection ends just before a pool reuses it: the end of the stream, then a reset for a \
             writer",
            parameters: &[(
                "idle_for",
                "how long a connection must be idle; those that are idle at the beginning are closed at once",
            )],
        }
    }

    fn example() -> CloseIdle {
        CloseIdle { idle_for: secs(5) }
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, lasting: Duration) -> Vec<FaultKind> {
        if self.idle_for.is_zero() {
            return Vec::new();
        }
        // Connections that are idle at the beginning are closed anyway; a longer time closes fewer others.
        vec![CloseIdle { idle_for: lasting.max(self.idle_for) }.into()]
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::close_idle({}, {target})", rust_code::duration(self.idle_for))
    }
}
