//! Programs whose output is stalled, so that they appear to hang.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// The process appears to hang. Its machine still accepts connections, receives bytes, and resets connections that it
/// does not know, but nothing that the program sends (bytes, or the end of a stream) leaves before the end of the
/// fault; then all of it leaves. The program itself keeps running, and traffic within its machine is not affected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputStall {}

/// Machines still accept connections and receive bytes, but nothing that their programs send leaves before the end of
/// the fault.
pub fn output_stall(hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(OutputStall {}, hosts)
}

impl Kind for OutputStall {
    fn name(&self) -> &'static str {
        "output stall"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "mute",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::output_stall(hosts)",
            seen: "the program hangs: connects work and requests are received, but no response comes until the end of \
             the fault",
            parameters: &[],
        }
    }

    fn example() -> OutputStall {
        OutputStall {}
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
        format!("fault::output_stall({target})")
    }
}
