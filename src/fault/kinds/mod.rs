//! The kinds of faults, one file each, and the list of them.
//!
//! The file of a kind holds everything about it as data: its parameters and their validation, where it acts, how
//! intensity scales it, its text, how it shrinks, its entry in the catalog, and its code in Rust. Other modules call
//! the methods of [`FaultKind`]; only the layer that injects faults matches on its variants.

mod bandwidth;
mod burst_loss;
mod clock_drift;
mod clock_skew;
mod close;
mod close_idle;
mod corrupt;
mod disk_corruption;
mod disk_errors;
mod disk_full;
mod disk_slow;
mod dns_blackhole;
mod dns_not_found;
mod dns_slow;
mod duplicate;
mod half_open;
mod hold;
mod kill;
mod latency;
mod latency_wave;
mod loss;
mod lost_syncs;
mod out_of_memory;
mod output_stall;
mod partition;
mod partition_one_way;
mod partition_with_reset;
mod parts;
mod pause;
mod power_off;
mod reset;
mod segments;
mod short_reads;
mod short_writes;
mod slow_start;
mod small_window;
mod stall;
mod stop;
mod trickle;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Intensity;
pub use burst_loss::BURST_SLOT;
pub use disk_errors::DiskCalls;
use parts::{bytes_text, is_rate, scaled_rate, smaller_numbers, smaller_times};

/// The interface of every kind of fault. No method has a default, so that none is forgotten.
pub(crate) trait Kind {
    /// The name by which it is listed, for example `power off`.
    fn name(&self) -> &'static str;

    /// The text of its parameters, which follows its name, for example `25.0 %`; empty if it has none.
    fn parameters_in_words(&self) -> String;

    /// The facts about the kind, whatever its parameters.
    fn facts(&self) -> Facts;

    /// An example, for the catalog and for tests that go through all kinds.
    fn example() -> Self
    where
        Self: Sized;

    /// Why its parameters are invalid, in one line; `None` if they are valid.
    fn defect(&self) -> Option<String>;

    /// The same kind at this intensity; unchanged if it has no parameter to scale.
    fn scaled(&self, intensity: Intensity) -> FaultKind;

    /// Simpler faults that may have the same effect when they last this long, the most promising first.
    fn simpler(&self, lasting: Duration) -> Vec<FaultKind>;

    /// The same kind with smaller parameters, the smallest first.
    fn milder(&self) -> Vec<FaultKind>;

    /// The duration below which shrinking does not shorten a fault of this kind.
    fn shortest(&self) -> Duration;

    /// The call of its constructor in Rust; `target` is the code of the hosts or of the two sides.
    fn rust(&self, target: &str) -> String;
}

/// The facts about a kind of fault, whatever its parameters.
pub(crate) struct Facts {
    /// Where it acts.
    pub(crate) target: KindTarget,
    /// The text under which a seed draws its faults: see [`FaultKind::draw_key`].
    pub(crate) draw_key: &'static str,
    /// Whether its effect in one run can be written segment by segment, and so be repeated without randomness.
    pub(crate) is_seen_in_segments: bool,
    /// Whether the parameters are part of a generator's name, because one scenario may use several of them.
    pub(crate) generators_differ_by_parameters: bool,
    /// What it does to a message, for the timeline; `None` if it only delays or holds messages.
    pub(crate) effect_on_a_message: Option<&'static str>,
    /// The code that a scenario uses for it.
    pub(crate) written: &'static str,
    /// What a peer (or the machine's own program) observes.
    pub(crate) seen: &'static str,
    /// Its parameters apart from time and place, each with its meaning.
    pub(crate) parameters: &'static [(&'static str, &'static str)],
}

/// Where a kind of fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KindTarget {
    /// Hosts whose programs end when it begins, and are started again when it ends.
    HostsDown,
    /// Hosts that go on running.
    Hosts,
    /// Links, in both directions unless the fault's target is one-way.
    Links,
    /// Links from the first side to the second, whatever the fault's target.
    LinksOneWay,
    /// The names of the second side, when the first side looks them up.
    Names,
}

/// The list of all kinds, in the order of the catalog: the file of each and its type. The constructor has the name of
/// the file.
macro_rules! kinds {
    ($($file:ident $Kind:ident,)*) => {
        $(pub use $file::$Kind;)*

        /// One constructor for each kind.
        pub(super) mod constructors {
            $(pub use super::$file::$file;)*
        }

        /// What goes wrong.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "is", rename_all = "kebab-case")]
        pub enum FaultKind {
            $(#[doc = concat!("See [`", stringify!($Kind), "`].")] $Kind($Kind),)*
        }

        $(impl From<$Kind> for FaultKind {
            fn from(kind: $Kind) -> FaultKind {
                FaultKind::$Kind(kind)
            }
        })*

        impl FaultKind {
            fn kind(&self) -> &dyn Kind {
                match self {
                    $(FaultKind::$Kind(kind) => kind,)*
                }
            }

            /// An example of each kind.
            pub(super) fn examples() -> Vec<FaultKind> {
                vec![$($Kind::example().into(),)*]
            }
        }
    };
}

kinds! {
    loss Loss,
    burst_loss BurstLoss,
    latency Latency,
    latency_wave LatencyWave,
    bandwidth Bandwidth,
    duplicate Duplicate,
    segments Segments,
    partition Partition,
    partition_one_way PartitionOneWay,
    partition_with_reset PartitionWithReset,
    hold Hold,
    reset Reset,
    close Close,
    stall Stall,
    trickle Trickle,
    corrupt Corrupt,
    close_idle CloseIdle,
    half_open HalfOpen,
    short_reads ShortReads,
    short_writes ShortWrites,
    small_window SmallWindow,
    kill Kill,
    power_off PowerOff,
    stop Stop,
    disk_errors DiskErrors,
    disk_full DiskFull,
    disk_slow DiskSlow,
    disk_corruption DiskCorruption,
    lost_syncs LostSyncs,
    output_stall OutputStall,
    pause Pause,
    slow_start SlowStart,
    out_of_memory OutOfMemory,
    clock_skew ClockSkew,
    clock_drift ClockDrift,
    dns_slow DnsSlow,
    dns_blackhole DnsBlackhole,
    dns_not_found DnsNotFound,
}

impl FaultKind {
    /// The name by which it is listed, for example `power off`.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The text under which a seed draws the faults of this kind. It never changes, whatever the kind is called, so that
    /// a seed means the same plan before and after a change of words.
    pub(super) fn draw_key(&self) -> String {
        let Facts { draw_key, generators_differ_by_parameters, .. } = self.facts();
        match generators_differ_by_parameters {
            true => format!("{draw_key} {}", self.kind().parameters_in_words()),
            false => draw_key.to_owned(),
        }
    }

    /// Whether it acts on hosts (and not on links).
    pub fn is_for_hosts(&self) -> bool {
        matches!(self.facts().target, KindTarget::HostsDown | KindTarget::Hosts)
    }

    /// Whether it takes hosts down: their programs end when it begins, and are started again when it ends.
    pub fn takes_hosts_down(&self) -> bool {
        self.facts().target == KindTarget::HostsDown
    }

    /// Whether it acts only in the direction from the first side to the second, whatever its target.
    pub fn is_one_way(&self) -> bool {
        matches!(self.facts().target, KindTarget::LinksOneWay | KindTarget::Names)
    }

    /// Whether it acts on the lookup of names.
    pub(crate) fn is_of_names(&self) -> bool {
        self.facts().target == KindTarget::Names
    }

    /// The same kind at this intensity. Rates and delays are multiplied by it; bandwidth and the gaps between bursts
    /// are divided by it. Kinds without such parameters, and the errors of clocks, are unchanged.
    pub fn scaled(&self, intensity: Intensity) -> FaultKind {
        self.kind().scaled(intensity)
    }

    /// Why its parameters are invalid, in one line; `None` if they are valid.
    pub(super) fn defect(&self) -> Option<String> {
        self.kind().defect()
    }

    /// The facts about the kind, whatever its parameters.
    pub(crate) fn facts(&self) -> Facts {
        self.kind().facts()
    }

    /// Simpler faults that may have the same effect when they last this long, the most promising first.
    pub(crate) fn simpler(&self, lasting: Duration) -> Vec<FaultKind> {
        self.kind().simpler(lasting)
    }

    /// The same kind with smaller parameters, the smallest first.
    pub(crate) fn milder(&self) -> Vec<FaultKind> {
        self.kind().milder()
    }

    /// The duration below which shrinking does not shorten a fault of this kind.
    pub(crate) fn shortest(&self) -> Duration {
        self.kind().shortest()
    }

    /// The call of its constructor in Rust; `target` is the code of the hosts or of the two sides.
    pub(crate) fn rust(&self, target: &str) -> String {
        self.kind().rust(target)
    }
}

/// The name of the kind and the text of its parameters.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.kind().parameters_in_words();
        if parameters.is_empty() { f.write_str(self.name()) } else { write!(f, "{} {parameters}", self.name()) }
    }
}

#[cfg(test)]
mod tests;
