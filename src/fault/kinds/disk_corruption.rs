//! Disks whose reads return a flipped bit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, is_rate, scaled_rate};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// Each read of the machine's disk returns one flipped bit, with probability `rate`. The data on the disk stays intact,
/// so that another read may return it correctly. Of two such faults, the one with the higher rate applies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskCorruption {
    /// Probability in `[0, 1]`.
    pub rate: f64,
}

/// Disks whose reads return one flipped bit, with probability `rate` each.
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
            draw_key: "disk flips",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::disk_corruption(rate, hosts)",
            seen: "a read returns one flipped bit; the next read of the same data may return it correctly",
            parameters: &[("rate", "probability in [0, 1] that a read has a flipped bit")],
        }
    }

    fn example() -> DiskCorruption {
        DiskCorruption { rate: 0.01 }
    }

    fn defect(&self) -> Option<String> {
        (!is_rate(self.rate)).then(|| format!("disk corruption rate {} is not between 0 and 1", self.rate))
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        DiskCorruption { rate: scaled_rate(self.rate, intensity) }.into()
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
