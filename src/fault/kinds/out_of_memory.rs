//! Processes that are killed because they run out of memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kill, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, rust_code, secs, text_duration};

/// The process is killed when it has too many requests in flight: accepted connections on which bytes have arrived
/// since it last sent any. Each process dies at most once, at the start of the next step, and a supervisor starts
/// another one, at the latest when all faults are over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutOfMemory {
    /// The number of requests in flight at which the process is killed; at least 1.
    pub in_flight: u32,
    /// How long the supervisor takes to restart it.
    #[serde(with = "text_duration")]
    pub restart_after: Duration,
}

/// Processes are killed when they have `in_flight` requests in flight, and restarted after `restart_after`.
pub fn out_of_memory(in_flight: u32, restart_after: Duration, hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(OutOfMemory { in_flight, restart_after }, hosts)
}

impl Kind for OutOfMemory {
    fn name(&self) -> &'static str {
        "out of memory"
    }

    fn parameters_in_words(&self) -> String {
        let restart_after = duration_text(self.restart_after);
        format!("at {} requests in flight (restart after {restart_after})", self.in_flight)
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "out of memory",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::out_of_memory(in_flight, restart_after, hosts)",
            seen: "under load the process dies as with kill, with all requests in flight; with fewer requests, \
             nothing happens",
            parameters: &[
                ("in_flight", "unanswered requests on accepted connections at which it dies, at least 1"),
                ("restart_after", "time until the supervisor restarts it"),
            ],
        }
    }

    fn example() -> OutOfMemory {
        OutOfMemory { in_flight: 8, restart_after: secs(1) }
    }

    fn defect(&self) -> Option<String> {
        let is_nothing = self.in_flight == 0;
        is_nothing.then(|| {
            "a program killed at 0 requests in flight could never run: `in_flight` must be at least 1".to_owned()
        })
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
        let (in_flight, restart_after) =
            (rust_code::grouped(self.in_flight.into()), rust_code::duration(self.restart_after));
        format!("fault::out_of_memory({in_flight}, {restart_after}, {target})")
    }
}
