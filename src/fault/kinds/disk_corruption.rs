//! Disks whose reads return a wrong bit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, harder_rate, is_rate};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// Reads of the machine's disk return one bit that is wrong, each with probability `rate`. What is on the disk stays
/// right, so that another read may return it as it is. Of two such faults, the one with the higher rate decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskCorruption {
    /// Probability in `[0, 1]`.
    pub rate: f64,
}

/// Disks whose reads return one wrong bit, with probability `rate` each.
pub fn disk_corruption(rate: f64, hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(DiskCorruption { rate }, hosts)
}

impl Kind for DiskCorruption {
    fn name(&self) -> &'static str {
        "disk corruption"
    }

    fn parameters_in_words(&self) -> String {
        format!("{:.1} %", self.rate * 100.0)
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::disk_corruption(rate, hosts)",
            seen: "a read returns one wrong bit, and the next one what is really there",
            parameters: &[("rate", "probability in [0, 1] that a read is wrong")],
        }
    }

    fn example() -> DiskCorruption {
        DiskCorruption { rate: 0.01 }
    }

    fn defect(&self) -> Option<String> {
        (!is_rate(self.rate)).then(|| format!("the rate {} of flipped reads is not between 0 and 1", self.rate))
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        DiskCorruption { rate: harder_rate(self.rate, intensity) }.into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        if self.rate < 1.0 { vec![DiskCorruption { rate: 1.0 }.into()] } else { Vec::new() }
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::disk_corruption({:?}, {target})", self.rate)
    }
}
