//! Disk calls that fail.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget, is_rate, scaled_rate};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// Calls to the machine's disk fail with an I/O error (EIO, 5), each with probability `rate`, and have no effect. After
/// a failed sync, as on Linux, later syncs do not save its data unless the data is written again, and the next power
/// off loses it. The outcome of each call is decided once: of two such faults on one disk at the same time, the one
/// with the higher rate applies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskErrors {
    /// Probability in `[0, 1]`.
    pub rate: f64,
    /// The calls that fail.
    pub calls: DiskCalls,
}

/// Calls to the machines' disks fail with an I/O error, with probability `rate` each.
pub fn disk_errors(rate: f64, calls: DiskCalls, hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(DiskErrors { rate, calls }, hosts)
}

impl Kind for DiskErrors {
    fn name(&self) -> &'static str {
        match self.calls {
            DiskCalls::All => "disk errors",
            DiskCalls::Reads => "read errors",
            DiskCalls::Writes => "write errors",
            DiskCalls::Syncs => "sync errors",
        }
    }

    fn parameters_in_words(&self) -> String {
        format!("{:.1} %", self.rate * 100.0)
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: match self.calls {
                DiskCalls::All => "disk errors",
                DiskCalls::Reads => "read errors",
                DiskCalls::Writes => "write errors",
                DiskCalls::Syncs => "sync errors",
            },
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::disk_errors(rate, DiskCalls::All, hosts)",
            seen: "disk calls fail with EIO and have no effect; after a failed sync, later syncs do not save its data \
             unless it is written again",
            parameters: &[
                ("rate", "probability in [0, 1] that a call fails"),
                ("calls", "which calls: `all`, `reads`, `writes` or `syncs`"),
            ],
        }
    }

    fn example() -> DiskErrors {
        DiskErrors { rate: 0.1, calls: DiskCalls::All }
    }

    fn defect(&self) -> Option<String> {
        (!is_rate(self.rate)).then(|| format!("disk error rate {} is not between 0 and 1", self.rate))
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        DiskErrors { rate: scaled_rate(self.rate, intensity), calls: self.calls }.into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        let DiskErrors { rate, calls } = *self;
        let may_fail = rate < 1.0;
        let errors = |rate, calls| FaultKind::from(DiskErrors { rate, calls });
        if calls == DiskCalls::All {
            let sorts = [DiskCalls::Syncs, DiskCalls::Writes, DiskCalls::Reads];
            let surely = sorts.into_iter().map(|calls| errors(1.0, calls));
            let perhaps = sorts.into_iter().filter(|_| may_fail).map(|calls| errors(rate, calls));
            return surely.chain(perhaps).collect();
        }
        if may_fail { vec![errors(1.0, calls)] } else { Vec::new() }
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::disk_errors({:?}, fault::DiskCalls::{:?}, {target})", self.rate, self.calls)
    }
}

/// The disk calls that a fault affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskCalls {
    /// Reads, writes and syncs.
    All,
    /// Reads of files and directories.
    Reads,
    /// Writes to the cache, and changes to lengths or names of files.
    Writes,
    /// Syncs of files and directories.
    Syncs,
}
