//! Machines that lose power.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kill, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};

/// The machine dies at once, and is powered on at the end of the fault. Writes that were not synced are lost or torn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerOff {}

/// Machines lose power, and with it unsynced data, and are powered on at the end of the fault.
pub fn power_off(hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(PowerOff {}, hosts)
}

impl Kind for PowerOff {
    fn name(&self) -> &'static str {
        "power off"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::HostsDown,
            draw_key: "power off",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::power_off(hosts)",
            seen: "silence; after power on, old connections are reset; each write that was not synced is lost, complete, \
             or torn after some sector of 512 bytes",
            parameters: &[],
        }
    }

    fn example() -> PowerOff {
        PowerOff {}
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
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        format!("fault::power_off({target})")
    }
}
