//! Programs that are asked to stop.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kill, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, rust_code, secs, text_duration};

/// The program is asked to stop, killed if it has not returned after `grace`, and restarted at the end of the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// How long the program may take to stop by itself.
    #[serde(with = "text_duration")]
    pub grace: Duration,
}

/// Programs are asked to stop, killed if they have not returned after `grace`, and restarted at the end of the fault.
pub fn stop(hosts: impl Into<Selector>, grace: Duration) -> FaultGenerator {
    FaultGenerator::on_hosts(Stop { grace }, hosts)
}

impl Kind for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

    fn parameters_in_words(&self) -> String {
        format!("(grace {})", duration_text(self.grace))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::HostsDown,
            draw_key: "stop",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::stop(hosts, grace)",
            seen: "the program is asked to stop and may finish its work; then as with kill",
            parameters: &[("grace", "time that the program may take to stop before it is killed")],
        }
    }

    fn example() -> Stop {
        Stop { grace: secs(5) }
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        vec![Kill {}.into()]
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        self.grace
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::stop({target}, {})", rust_code::duration(self.grace))
    }
}
