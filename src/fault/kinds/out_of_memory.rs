//! Processes that are killed for want of memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kill, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector, duration_text, rust_code, secs, text_duration};

/// The process is killed when it has too much to do at once: connections that it has accepted, on which bytes came in
/// since it last sent any. It dies at the start of the step after that, once in each life, and is started again by a
/// supervisor, at the latest when all faults are over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutOfMemory {
    /// So many requests in flight are too many; at least 1.
    pub in_flight: u32,
    /// How long the supervisor takes.
    #[serde(with = "text_duration")]
    pub restart_after: Duration,
}

/// Programs that are killed when they have so many requests in flight, and restarted after a time.
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
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::out_of_memory(in_flight, restart_after, hosts)",
            seen: "under load it dies as with a kill, with all the requests that it is at; nothing if it has less to do",
            parameters: &[
                ("in_flight", "with so many requests on accepted connections unanswered it dies, at least 1"),
                ("restart_after", "how long the supervisor takes to start it again"),
            ],
        }
    }

    fn example() -> OutOfMemory {
        OutOfMemory { in_flight: 8, restart_after: secs(1) }
    }

    fn defect(&self) -> Option<String> {
        let is_nothing = self.in_flight == 0;
        is_nothing.then(|| "a program without memory for a single request in flight never runs".to_owned())
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
