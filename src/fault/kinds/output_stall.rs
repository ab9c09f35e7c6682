//! Programs that hang, in the eyes of everybody else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// The process hangs: its machine goes on granting connections and taking in bytes, and answers for whoever is not
/// there, but nothing that the program sends (bytes, or the end of its stream) leaves before the end of the fault, when
/// all of it does. What the program does meanwhile for itself, it does; what its machine says to itself is heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputStall {}

/// Machines that grant connections and take in bytes, and whose programs are not heard before the end of the fault.
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
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::output_stall(hosts)",
            seen: "a program that hangs: connects work, requests are taken in, and no answer comes until the end of the fault",
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
