//! Disks that are slow.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, millis, rust_code, text_duration};

/// Each call to the machine's disk takes longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSlow {
    /// The delay added to each read.
    #[serde(with = "text_duration")]
    pub read: Duration,
    /// The delay added to each write, and to each change of a file's length or name.
    #[serde(with = "text_duration")]
    pub write: Duration,
    /// The delay added to each sync.
    #[serde(with = "text_duration")]
    pub sync: Duration,
}

/// Disks whose reads, writes and syncs take this much longer.
pub fn disk_slow(read: Duration, write: Duration, sync: Duration, hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(DiskSlow { read, write, sync }, hosts)
}

impl Kind for DiskSlow {
    fn name(&self) -> &'static str {
        "disk slow"
    }

    fn parameters_in_words(&self) -> String {
        let words = [(self.read, "read"), (self.write, "write"), (self.sync, "sync")];
        let slow = words.into_iter().filter(|(by, _)| !by.is_zero());
        let words: Vec<String> = slow.map(|(by, call)| format!("+{} a {call}", duration_text(by))).collect();
        format!("({})", words.join(", "))
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "disk slow",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::disk_slow(read, write, sync, hosts)",
            seen: "programs that wait for the disk answer late, and disk calls queue up behind one another",
            parameters: &[
                ("read", "delay added to each read"),
                ("write", "delay added to each write and each change of a file's length or name"),
                ("sync", "delay added to each sync"),
            ],
        }
    }

    fn example() -> DiskSlow {
        DiskSlow { read: millis(5), write: millis(5), sync: millis(50) }
    }

    fn defect(&self) -> Option<String> {
        let is_fast = [self.read, self.write, self.sync].iter().all(Duration::is_zero);
        is_fast.then(|| "a slow disk needs a delay: `read`, `write` or `sync` must be more than 0".to_owned())
    }

    fn scaled(&self, intensity: Intensity) -> FaultKind {
        let time = |time: Duration| intensity.lengthen(time);
        DiskSlow { read: time(self.read), write: time(self.write), sync: time(self.sync) }.into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        let (read, write, sync, none) = (self.read, self.write, self.sync, Duration::ZERO);
        let alone = [(none, none, sync), (none, write, none), (read, none, none)];
        let alone = alone.into_iter().filter(|one| *one != (read, write, sync) && *one != (none, none, none));
        alone.map(|(read, write, sync)| DiskSlow { read, write, sync }.into()).collect()
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        let [read, write, sync] = [self.read, self.write, self.sync].map(rust_code::duration);
        format!("fault::disk_slow({read}, {write}, {sync}, {target})")
    }
}
