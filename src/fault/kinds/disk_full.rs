//! Disks that are full.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, bytes_text};
use crate::fault::{FaultGenerator, Intensity, Selector, rust_code};

/// Files on the machine's disk cannot grow by more than this in total (ENOSPC, 28, `ErrorKind::StorageFull`). Data can
/// still be overwritten in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskFull {
    /// Free bytes when the fault begins.
    pub free_bytes: u64,
}

/// Disks on which files cannot grow by more than `free_bytes` in total.
pub fn disk_full(free_bytes: u64, hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(DiskFull { free_bytes }, hosts)
}

impl Kind for DiskFull {
    fn name(&self) -> &'static str {
        "disk full"
    }

    fn parameters_in_words(&self) -> String {
        format!("({} free)", bytes_text(self.free_bytes))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "disk full",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::disk_full(free_bytes, hosts)",
            seen: "files cannot grow (`ErrorKind::StorageFull`), but data can be overwritten in place",
            parameters: &[("free_bytes", "bytes by which files can still grow, in total")],
        }
    }

    fn example() -> DiskFull {
        DiskFull { free_bytes: 0 }
    }

    fn defect(&self) -> Option<String> {
        None
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        if self.free_bytes == 0 { Vec::new() } else { vec![DiskFull { free_bytes: 0 }.into()] }
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::disk_full({}, {target})", rust_code::grouped(self.free_bytes))
    }
}
