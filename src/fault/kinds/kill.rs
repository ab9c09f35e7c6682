//! Processes that are killed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// The process dies at once, and is restarted at the end of the fault. Its machine keeps running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {}

/// Processes die at once, and are restarted at the end of the fault.
pub fn kill(hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(Kill {}, hosts)
}

impl Kind for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::HostsDown,
            draw_key: "kill",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::kill(hosts)",
            seen: "the end of the stream (or a reset, if bytes were unread) at once; connects are refused until the \
             restart",
            parameters: &[],
        }
    }

    fn example() -> Kill {
        Kill {}
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
        format!("fault::kill({target})")
    }
}
