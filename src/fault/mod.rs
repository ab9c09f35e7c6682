//! Faults as data: what goes wrong, where, when and for how long. It knows nothing of how a fault is carried out.

mod compose;
mod duration;
mod fate;
mod pace;
mod palette;
mod script;
mod source;
mod target;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use compose::{ComposedSource, bridge, flapping, partition_groups, slow_host, swizzle};
pub use duration::{micros, millis, secs, text as duration_text, text_duration};
pub use fate::{SegmentFate, TRANSMISSIONS};
pub use palette::{PaletteEntry, compositions, kinds};
pub use source::{
    FaultSource, RollingStop, Source, bandwidth, burst_loss, hold, isolate, kill, latency, latency_wave, loss,
    partition, partition_one_way, plan, power_off, reject, rolling_stop, scripted, stop,
};
pub(crate) use target::pick;
pub use target::{Selector, Stage, StageHost, Target, all, majority, minority, one};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// Each segment on the link is lost with probability `rate` per transmission. Lost bytes are sent again after the
    /// retransmission timeout, a lost connection request after a second. The luck of a segment is its own: of two such
    /// faults at a time on one link, the one with the higher rate decides.
    Loss {
        /// Probability in `[0, 1]`.
        rate: f64,
    },
    /// Segments are lost in runs: each direction of the link is either well or in a burst, and a segment in a burst is lost
    /// with probability `rate` per transmission. The states change by chance from one [`BURST_SLOT`] to the next, after
    /// Gilbert, "Capacity of a burst-noise channel" (1960), with a rate within bursts as in Elliott (1963).
    BurstLoss {
        /// The mean time from the end of one burst to the beginning of the next, at least [`BURST_SLOT`].
        #[serde(with = "text_duration")]
        gap: Duration,
        /// The mean length of a burst, at least [`BURST_SLOT`].
        #[serde(with = "text_duration")]
        burst: Duration,
        /// Probability in `[0, 1]` that a burst loses a transmission.
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
    /// Each segment on the link takes longer, by a time that rises evenly from nothing to `peak` in the middle of the
    /// fault, and falls evenly to nothing at its end.
    LatencyWave {
        /// What is added in the middle.
        #[serde(with = "text_duration")]
        peak: Duration,
    },
    /// Each direction of the link carries so much and no more. What it cannot carry yet waits in a queue, in order; what
    /// finds the queue full is lost, and sent again after the retransmission timeout. A deep queue is a bufferbloat.
    Bandwidth {
        /// Bytes that pass in a second, headers included; at least 1.
        bytes_per_second: u64,
        /// Bytes that may wait. A segment that finds the link idle passes whatever its size.
        queue_bytes: u64,
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
    /// Nothing passes between the two sides, and whoever tries is answered: a firewall in the middle of the link drops
    /// what crosses and sends a reset back, which arrives after one latency of the link. Connects are refused; open
    /// connections are reset when they next send. Code on plain turmoil sockets meets silence.
    Reject,
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
            FaultKind::BurstLoss { .. } => "burst loss",
            FaultKind::Latency { .. } => "latency",
            FaultKind::LatencyWave { .. } => "latency wave",
            FaultKind::Bandwidth { .. } => "bandwidth",
            FaultKind::Segments { .. } => "segments",
            FaultKind::Partition => "partition",
            FaultKind::PartitionOneWay => "one-way partition",
            FaultKind::Reject => "reject",
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

/// In burst loss, a direction of a link stays in its state for a whole number of such spans of time.
pub const BURST_SLOT: Duration = millis(10);

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
            FaultKind::BurstLoss { rate, .. } if !(0.0..=1.0).contains(rate) => {
                return Some(format!("the rate {rate} of losses in a burst is not between 0 and 1"));
            }
            FaultKind::BurstLoss { gap, burst, .. } if *gap.min(burst) < BURST_SLOT => {
                return Some(format!(
                    "burst loss needs a `gap` and a `burst` of at least {}",
                    duration_text(BURST_SLOT)
                ));
            }
            FaultKind::Bandwidth { bytes_per_second: 0, .. } => {
                return Some("a bandwidth of nothing is a partition; at least 1 byte per second must pass".to_owned());
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
        if let FaultKind::Segments { fates } = &self.kind {
            return segments_text(f, fates, self);
        }
        write!(f, "{}", self.kind.name())?;
        match &self.kind {
            FaultKind::Loss { rate } => write!(f, " {:.1} %", rate * 100.0)?,
            FaultKind::BurstLoss { gap, burst, rate } => {
                let (gap, burst) = (duration_text(*gap), duration_text(*burst));
                write!(f, " {:.1} % in bursts of {burst}, {gap} apart", rate * 100.0)?;
            }
            FaultKind::Latency { at_least, at_most } => {
                write!(f, " +{}..{}", duration_text(*at_least), duration_text(*at_most))?;
            }
            FaultKind::LatencyWave { peak } => write!(f, " up to +{}", duration_text(*peak))?,
            FaultKind::Bandwidth { bytes_per_second, queue_bytes } => {
                write!(f, " {} per second, queue {}", bytes_text(*bytes_per_second), bytes_text(*queue_bytes))?;
            }
            FaultKind::Stop { grace } => write!(f, " (grace {})", duration_text(*grace))?,
            _ => {}
        }
        write!(f, " {}", place(&self.kind, &self.target))?;
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
    write!(f, "{words} {} from {} on", place(&fault.kind, &fault.target), duration_text(fault.begins_at()))
}

/// Where a fault of this kind strikes, in words.
fn place(kind: &FaultKind, target: &Target) -> String {
    match target {
        Target::Hosts(hosts) => hosts.to_string(),
        Target::Links { from, to } if *kind != FaultKind::PartitionOneWay => format!("{from} ↔ {to}"),
        Target::Links { from, to } | Target::OneWay { from, to } => format!("{from} → {to}"),
    }
}

/// A number of bytes in the largest unit in which it is whole: `64 kB`.
fn bytes_text(bytes: u64) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        bytes if bytes.is_multiple_of(1_000_000) => format!("{} MB", bytes / 1_000_000),
        bytes if bytes.is_multiple_of(1_000) => format!("{} kB", bytes / 1_000),
        bytes => format!("{bytes} B"),
    }
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
