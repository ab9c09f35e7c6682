//! Faults as data: what goes wrong, where, when and for how long. It knows nothing of how a fault is carried out.

mod duration;
mod fate;
mod script;
mod source;
mod target;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use duration::{micros, millis, secs, text as duration_text, text_duration};
pub use fate::{SegmentFate, TRANSMISSIONS};
pub use source::{
    FaultSource, RollingStop, Source, hold, kill, latency, loss, partition, partition_one_way, plan, power_off,
    rolling_stop, scripted, stop,
};
pub(crate) use target::pick;
pub use target::{Selector, Stage, StageHost, Target, all, majority, minority, one};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// Each segment on the link is lost with probability `rate` per transmission. Lost bytes are sent again after the
    /// retransmission timeout, a lost connection request after a second.
    Loss {
        /// Probability in `[0, 1]`.
        rate: f64,
    },
    /// Each segment on the link takes longer, by a time drawn uniformly from `at_least..=at_most`.
    Latency {
        /// Lower bound of what is added.
        #[serde(with = "text_duration")]
        at_least: Duration,
        /// Upper bound of what is added.
        #[serde(with = "text_duration")]
        at_most: Duration,
    },
    /// These very segments are lost or late, and no others: what loss or latency came down to in one run.
    Segments {
        /// The segments.
        fates: Vec<SegmentFate>,
    },
    /// Nothing passes between the two sides, in both directions, without a word to either.
    Partition,
    /// Nothing passes from the first side to the second; the other direction works.
    PartitionOneWay,
    /// Nothing passes while it lasts, then everything at once.
    Hold,
    /// The process dies at once and is restarted at the end; its machine lives on.
    Kill,
    /// The machine dies at once and is powered on at the end; what was not synced is lost or torn.
    PowerOff,
    /// The program is asked to stop, killed if it has not returned after `grace`, and restarted at the end.
    Stop {
        /// How long the program may take to stop by itself.
        #[serde(with = "text_duration")]
        grace: Duration,
    },
}

impl FaultKind {
    /// The name by which it is listed, for example `power off`.
    pub fn name(&self) -> &'static str {
        match self {
            FaultKind::Loss { .. } => "loss",
            FaultKind::Latency { .. } => "latency",
            FaultKind::Segments { .. } => "segments",
            FaultKind::Partition => "partition",
            FaultKind::PartitionOneWay => "one-way partition",
            FaultKind::Hold => "hold",
            FaultKind::Kill => "kill",
            FaultKind::PowerOff => "power off",
            FaultKind::Stop { .. } => "stop",
        }
    }

    /// Whether it befalls hosts (and not links).
    pub fn is_for_hosts(&self) -> bool {
        matches!(self, FaultKind::Kill | FaultKind::PowerOff | FaultKind::Stop { .. })
    }
}

/// When a fault begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trigger {
    /// At this virtual time since the start of the run. It takes effect at the start of the step that holds it.
    At(#[serde(with = "text_duration")] Duration),
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins.
    pub trigger: Trigger,
    /// What it is.
    pub kind: FaultKind,
    /// Where.
    pub target: Target,
    /// How long it lasts, from its beginning.
    #[serde(with = "text_duration")]
    pub lasting: Duration,
    /// Which of the scenario's sources drew it, by name; bites are judged per source.
    pub source: String,
}

impl Fault {
    /// When it begins.
    pub fn begins_at(&self) -> Duration {
        match self.trigger {
            Trigger::At(at) => at,
        }
    }

    /// When it is over.
    pub fn ends_at(&self) -> Duration {
        self.begins_at().saturating_add(self.lasting)
    }

    /// What is wrong with this fault as data, in one line; none if it can be carried out.
    pub fn defect(&self) -> Option<String> {
        match &self.kind {
            FaultKind::Loss { rate } if !(0.0..=1.0).contains(rate) => {
                return Some(format!("loss rate {rate} is not between 0 and 1"));
            }
            FaultKind::Latency { at_least, at_most } if at_least > at_most => {
                return Some("latency `at_least` exceeds `at_most`".to_owned());
            }
            FaultKind::Segments { fates } => {
                if let Some(defect) = fates.iter().find_map(SegmentFate::defect) {
                    return Some(defect);
                }
            }
            _ => {}
        }
        match (&self.target, self.kind.is_for_hosts()) {
            (Target::Hosts(_), true) | (Target::Links { .. }, false) => None,
            (Target::Hosts(_), false) => Some(format!("{} needs a target of two sides (`links`)", self.kind.name())),
            (Target::Links { .. }, true) => Some(format!("{} needs a target of hosts (`hosts`)", self.kind.name())),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let FaultKind::Segments { fates } = &self.kind {
            return segments_text(f, fates, self);
        }
        write!(f, "{}", self.kind.name())?;
        match &self.kind {
            FaultKind::Loss { rate } => write!(f, " {:.1} %", rate * 100.0)?,
            FaultKind::Latency { at_least, at_most } => {
                write!(f, " +{}..{}", duration_text(*at_least), duration_text(*at_most))?;
            }
            FaultKind::Stop { grace } => write!(f, " (grace {})", duration_text(*grace))?,
            _ => {}
        }
        let arrow = if self.kind == FaultKind::PartitionOneWay { "→" } else { "↔" };
        match &self.target {
            Target::Hosts(hosts) => write!(f, " {hosts}")?,
            Target::Links { from, to } => write!(f, " {from} {arrow} {to}")?,
        }
        write!(f, " at {} for {}", duration_text(self.begins_at()), duration_text(self.lasting))
    }
}

/// One segment in full, or how many there are.
fn segments_text(f: &mut fmt::Formatter<'_>, fates: &[SegmentFate], fault: &Fault) -> fmt::Result {
    if let [only] = fates {
        return write!(f, "{only}");
    }
    let lost = fates.iter().filter(|fate| !fate.lost.is_empty()).count();
    let words = match (lost, fates.len() - lost) {
        (lost, 0) => format!("{lost} segments lost"),
        (0, late) => format!("{late} segments late"),
        (1, late) => format!("1 segment lost, {late} late"),
        (lost, late) => format!("{lost} segments lost, {late} late"),
    };
    match &fault.target {
        Target::Links { from, to } => write!(f, "{words} {from} ↔ {to}")?,
        Target::Hosts(hosts) => write!(f, "{words} {hosts}")?,
    }
    write!(f, " from {} on", duration_text(fault.begins_at()))
}

/// The ordered faults of one run, drawn before the run starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan {
    /// The faults, by the time of their beginning.
    pub faults: Vec<Fault>,
}

impl Plan {
    /// A plan in which nothing goes wrong.
    pub fn none() -> Plan {
        Plan::default()
    }

    /// A plan of these faults, put in order.
    pub fn new(mut faults: Vec<Fault>) -> Plan {
        faults.sort_by_key(Fault::begins_at);
        Plan { faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_segments_are_told_in_words_and_checked() {
        let fate = || SegmentFate::new("client", "server", 80, 14, 0);
        let check = |fates: Vec<SegmentFate>, text: &str, defect: Option<&str>| {
            let fault = Fault { kind: FaultKind::Segments { fates }, ..Fault::hold(["client"], ["server"]) };
            assert!(fault.to_string().starts_with(text), "{fault}");
            assert_eq!(fault.defect().as_deref(), defect);
        };
        check(vec![fate().lost([0])], "segment 1 of client → server:80 (connection 15) lost", None);
        check(vec![fate().back().late(millis(7))], "segment 1 of client ← server:80 (connection 15) late by 7ms", None);
        check(vec![fate().lost([0, 1]), fate().late(millis(7))], "1 segment lost, 1 late client ↔ server", None);
        check(vec![fate()], "segment 1 of client", Some("a segment is neither `lost` nor `late`"));
        let never = "transmission 16 cannot be lost: a segment is transmitted 16 times";
        check(vec![fate().lost([16])], "segment 1 of client", Some(never));
    }
}
