//! Faults as data: what goes wrong, where, when and for how long, and the generators that draw them. `world` injects
//! them.
//!
//! Each kind of fault has one constructor, such as [`kill`] or [`loss`], which takes what goes wrong and where. It
//! returns a [`FaultGenerator`]. A scenario takes the generator, with a range for everything that each run draws. Given
//! a fixed beginning, the generator becomes one [`Fault`], in which nothing is left to draw:
//!
//! ```
//! use squall::fault::{Fault, FaultGenerator, kill};
//! use squall::prelude::*;
//!
//! let generator: FaultGenerator = kill("store").every(secs(5)..secs(9)).lasting(secs(1)..secs(4));
//! let fault: Fault = kill("store").at(millis(3_127)).lasting(millis(895));
//! assert_eq!(fault.to_string(), "kill store at 3.127s for 895ms");
//!
//! // A fault can also begin with a message or an event. A generator draws which one, a fault names it.
//! let generator: FaultGenerator = kill("store").at_message("gateway", "store", "PUT");
//! let fault: Fault = kill("store").at_nth_message("gateway", "store", "PUT", 2);
//! # let _ = (generator, fault);
//! ```

mod catalog;
mod compose;
mod draw_key;
mod duration;
mod fate;
mod generator;
mod intensity;
pub mod kinds;
mod outline;
pub(crate) mod rust_code;
mod schedule;
mod script;
mod selector;
mod swarm;
mod target;
mod trigger;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[doc(hidden)]
pub use catalog::{CatalogRow, beginnings, compositions, kinds};
pub use compose::{
    ComposedGenerator, bridge, flapping, kill_several, partition_groups, restart_loop, slow_host, slow_restart,
    swizzle, whole_tier,
};
pub use duration::{micros, millis, secs};
#[doc(hidden)]
pub use duration::{text as duration_text, text_duration};
pub use fate::SegmentFate;
pub(crate) use fate::TRANSMISSIONS;
pub use generator::{FaultGenerator, Generator, RollingStop, isolate, plan, rolling_stop, scripted};
#[doc(hidden)]
pub use intensity::{Intensity, ParseIntensityError};
pub(crate) use kinds::BURST_SLOT;
pub use kinds::constructors::*;
pub use kinds::{DiskCalls, FaultKind};
pub use selector::{Selector, all, here, majority, minority, one};
#[doc(hidden)]
pub use swarm::Swarm;
pub(crate) use swarm::draw;
pub use target::{Target, Topology, TopologyHost};
pub(crate) use target::{glob_matches, pick};
pub use trigger::{EventPoint, MessagePoint, Trigger};

/// One thing that goes wrong.
///
/// ```
/// use squall::prelude::*;
///
/// let fault = fault::partition("api", "store").at(secs(2)).lasting(secs(1));
/// assert_eq!((fault.begins_at(), fault.ends_at()), (Some(secs(2)), Some(secs(3))));
/// assert_eq!(fault.to_string(), "partition api ↔ store at 2s for 1s");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins.
    pub trigger: Trigger,
    /// What goes wrong.
    pub kind: FaultKind,
    /// Where it goes wrong.
    pub target: Target,
    /// How long it lasts, from its beginning.
    #[serde(with = "text_duration")]
    pub lasting: Duration,
    /// The name of the generator that drew it. Effects are counted per generator.
    pub generator: String,
}

impl Fault {
    /// The virtual time at which it begins; `None` if it begins with a message or an event.
    pub fn begins_at(&self) -> Option<Duration> {
        match self.trigger {
            Trigger::At(at) => Some(at),
            Trigger::Message(_) | Trigger::Event(_) => None,
        }
    }

    /// The virtual time at which it ends; `None` if it begins with a message or an event.
    pub fn ends_at(&self) -> Option<Duration> {
        Some(self.begins_at()?.saturating_add(self.lasting))
    }

    /// What goes wrong and where, without when and how much: `kill server`.
    pub(crate) fn without_times(&self) -> String {
        format!("{} {}", self.kind.name(), place(&self.kind, &self.target))
    }

    /// Why this fault cannot be carried out, in one line; `None` if it can.
    pub fn defect(&self) -> Option<String> {
        if let Some(defect) = self.kind.defect().or_else(|| self.trigger.defect()) {
            return Some(defect);
        }
        let is_here = |selector: &Selector| *selector == Selector::Here;
        if self.trigger.waits_for_here() {
            return Some("the trigger must name its hosts: `here` is known only once it has happened".to_owned());
        }
        if self.begins_at().is_some() && self.target.selectors().into_iter().any(is_here) {
            let advice = "give it a trigger with `.at_message(..)` or `.at_event(..)`";
            return Some(format!("`here` needs a fault that begins with a message or an event: {advice}"));
        }
        match (&self.target, self.kind.is_for_hosts()) {
            (Target::Hosts(_), true) | (Target::Links { .. } | Target::OneWay { .. }, false) => None,
            (Target::Hosts(_), false) => Some(format!("{} needs a target of two sides (`links`)", self.kind.name())),
            (Target::Links { .. } | Target::OneWay { .. }, true) => {
                Some(format!("{} needs a target of hosts (`hosts`)", self.kind.name()))
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fates) = self.kind.segments() {
            return self.fmt_segments(fates, f);
        }
        write!(f, "{}", self.kind)?;
        write!(f, " {}", place(&self.kind, &self.target))?;
        write!(f, " {} for {}", self.trigger, duration_text(self.lasting))
    }
}

/// The text of a target: `a, b` for hosts, `a ↔ b` or `a → b` for links.
fn place(kind: &FaultKind, target: &Target) -> String {
    match target {
        Target::Hosts(hosts) => hosts.to_string(),
        Target::Links { from, to } if !kind.is_one_way() => format!("{from} ↔ {to}"),
        Target::Links { from, to } | Target::OneWay { from, to } => format!("{from} → {to}"),
    }
}

/// The ordered faults of one run, drawn before the run starts.
///
/// ```
/// use squall::fault::Plan;
/// use squall::prelude::*;
///
/// let plan = Plan::new(vec![fault::kill("b").at(secs(2)), fault::kill("a").at(secs(1))]);
/// assert_eq!(plan.faults[0].begins_at(), Some(secs(1)), "in the order of their beginnings");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan {
    /// The faults in order of the time at which they begin; those that begin with a message or an event come last.
    pub faults: Vec<Fault>,
}

impl Plan {
    /// A plan in which nothing goes wrong.
    pub fn none() -> Plan {
        Plan::default()
    }

    /// A plan of these faults, sorted as [`Plan::faults`] says.
    pub fn new(mut faults: Vec<Fault>) -> Plan {
        faults.sort_by_key(|fault| (fault.begins_at().is_none(), fault.begins_at()));
        Plan { faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_segments_are_described_and_checked() {
        let fate = || SegmentFate::new("client", "server", 80, 14, 0);
        let check = |fates: Vec<SegmentFate>, text: &str, defect: Option<&str>| {
            let fault = Fault { kind: kinds::Segments { fates }.into(), ..hold(["client"], ["server"]).at_start() };
            assert!(fault.to_string().starts_with(text), "{fault}");
            assert_eq!(fault.defect().as_deref(), defect);
        };
        check(vec![fate().lost([0])], "segment 1 of client → server:80 (connection 15) lost", None);
        check(vec![fate().back().late(millis(7))], "segment 1 of client ← server:80 (connection 15) late by 7ms", None);
        check(vec![fate().lost([0, 1]), fate().late(millis(7))], "1 segment lost, 1 late client ↔ server", None);
        let bit = "segment 1 of client → server:80 (connection 15) with bit 3 of byte 7 flipped";
        check(vec![fate().corrupted([59])], bit, None);
        check(vec![fate().corrupted([59]); 2], "2 segments with flipped bits client ↔ server", None);
        let mixed = vec![fate().late(millis(7)), fate().corrupted([59]), fate().lost([0])];
        check(mixed, "1 segment lost, 1 late, 1 with flipped bits client ↔ server", None);
        check(vec![fate()], "segment 1 of client", Some("a segment's fate needs `lost`, `late` or `corrupted`"));
        let never = "transmission 18 cannot be lost: only the first 18 can, counted from 0";
        check(vec![fate().lost([18])], "segment 1 of client", Some(never));
    }
}
