//! Processes that do nothing at all for a while.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{FaultGenerator, Intensity, Selector};
use crate::sandbox;

/// The process does nothing at all, as after `SIGSTOP`, in a long pause of a garbage collector, or on a virtual machine
/// that is moved. Its machine goes on: it accepts connections, takes in bytes until the receive buffers are full, and
/// sends again what was lost. When the fault ends, the process finds everything that has arrived, and its timers that
/// are due by then fire late, all at once.
///
/// It stops up to two steps after the fault begins. A process that is started during the fault runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {}

/// Processes do nothing at all until the end of the fault, while their machines go on; then all timers are late at once.
///
/// ```
/// use squall::prelude::*;
///
/// /// Writes under a lease that it renews every second, and that the others take over after three.
/// async fn holder(cx: HostContext) {
///     loop {
///         tokio::time::sleep(secs(1)).await;
///         cx.recorder().note("renews", "the lease");
///     }
/// }
///
/// let scenario = Scenario::new("stale lease")
///     .host("holder", holder)
///     .fault(fault::pause("holder").every(secs(2)..secs(5)).lasting(secs(4)..secs(10)))
/// #   .check(|_: &Trace, _: &History| Verdict::Pass)
///     .run_for(secs(30));
/// # use squall::internal::run::{Detail, run};
/// # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
/// # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
/// ```
pub fn pause(hosts: impl Into<Selector>) -> FaultGenerator {
    FaultGenerator::on_hosts(Pause {}, hosts)
}

impl Kind for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Hosts,
            draw_key: "pause",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::pause(hosts)",
            seen: "the program does nothing: connects work and bytes are taken in, but nothing is read, answered or \
             timed until the end of the fault; then all of its timers are late at once",
            parameters: &[],
        }
    }

    fn example() -> Pause {
        Pause {}
    }

    fn defect(&self) -> Option<String> {
        (!sandbox::CAN_FREEZE)
            .then(|| "a pause needs Linux with glibc, where programs run on simulated clocks".to_owned())
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
        format!("fault::pause({target})")
    }
}
