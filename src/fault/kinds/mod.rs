//! The kinds of faults, one file each, and the list of them. They know nothing of how a fault is carried out.
//!
//! A kind says in its file all that there is to say of it as data: its parameters, what is wrong with them, where it acts,
//! what intensity does to it, how it is told, how it is shrunk, what the catalog says of it, and how it is written in Rust.
//! Whoever has to do with any kind asks [`FaultKind`], and nobody but the layer that carries faults out matches on it.

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
use parts::{bytes_text, harder_rate, is_rate, smaller_numbers, smaller_times};

/// What every kind of fault says of itself. Nothing has a default, so that nothing is forgotten.
pub(crate) trait Kind {
    /// The name by which it is listed, for example `power off`.
    fn name(&self) -> &'static str;

    /// What follows its name when it is told, for example `25.0 %`; empty if there is nothing to say.
    fn parameters_in_words(&self) -> String;

    /// What holds for the kind, whatever its parameters.
    fn facts(&self) -> Facts;

    /// One such fault, for the catalog and for tests that go through all kinds.
    fn example() -> Self
    where
        Self: Sized;

    /// What is wrong with its parameters, in one line; none if it can be carried out.
    fn defect(&self) -> Option<String>;

    /// The same kind, as much harder as this says, as far as it has a measure.
    fn scaled(&self, intensity: Intensity) -> FaultKind;

    /// Simpler faults that may do the same in so much time, the most promising first.
    fn simpler(&self, lasting: Duration) -> Vec<FaultKind>;

    /// The same kind with smaller numbers, the smallest first.
    fn milder(&self) -> Vec<FaultKind>;

    /// A fault of this kind is not shortened below this.
    fn shortest(&self) -> Duration;

    /// The call of its constructor in Rust; `target` is the code of the hosts or of the two sides.
    fn rust(&self, target: &str) -> String;
}

/// What holds for a kind of fault, whatever its parameters.
pub(crate) struct Facts {
    /// What it acts on.
    pub(crate) target: KindTarget,
    /// Whether what it did in one run can be said segment by segment, and so be repeated without chance.
    pub(crate) is_seen_in_segments: bool,
    /// Whether generators with different parameters have different names, because they are wanted side by side.
    pub(crate) generators_differ_by_parameters: bool,
    /// What it does to a message, for the timeline; none if a message is merely late or kept back.
    pub(crate) effect_on_a_message: Option<&'static str>,
    /// How it is written in a scenario.
    pub(crate) written: &'static str,
    /// What a peer (or the machine's own program) sees.
    pub(crate) seen: &'static str,
    /// Its parameters beside when and where, with what they mean.
    pub(crate) parameters: &'static [(&'static str, &'static str)],
}

/// What a kind of fault acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KindTarget {
    /// Hosts whose programs end when it begins, and are started again when it is over.
    HostsDown,
    /// Hosts that go on running.
    Hosts,
    /// Links, in both directions unless the fault's target says otherwise.
    Links,
    /// Links from the first side to the second, whatever the fault's target says.
    LinksOneWay,
    /// The names of the second side, when the first looks them up.
    Names,
}

/// The list of all kinds, in the order of the catalog: the file of each and its type. The file also has the constructor,
/// which bears the file's name.
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

    /// Whether it befalls hosts (and not links).
    pub fn is_for_hosts(&self) -> bool {
        matches!(self.facts().target, KindTarget::HostsDown | KindTarget::Hosts)
    }

    /// Whether it takes hosts down: their programs end when it begins, and are started again when it is over.
    pub fn takes_hosts_down(&self) -> bool {
        self.facts().target == KindTarget::HostsDown
    }

    /// Whether it goes from the first side to the second, whatever its target says.
    pub fn is_one_way(&self) -> bool {
        matches!(self.facts().target, KindTarget::LinksOneWay | KindTarget::Names)
    }

    /// Whether it befalls the looking up of names.
    pub(crate) fn is_of_names(&self) -> bool {
        self.facts().target == KindTarget::Names
    }

    /// The same kind, as much harder as this says, as far as it has a measure: rates and delays grow, bandwidth and what
    /// lies between bursts shrink. Clocks are wrong by what their generator says.
    pub fn scaled(&self, intensity: Intensity) -> FaultKind {
        self.kind().scaled(intensity)
    }

    /// What is wrong with its parameters, in one line; none if it can be carried out.
    pub(super) fn defect(&self) -> Option<String> {
        self.kind().defect()
    }

    /// What holds for the kind, whatever its parameters.
    pub(crate) fn facts(&self) -> Facts {
        self.kind().facts()
    }

    /// Simpler faults that may do the same in so much time, the most promising first.
    pub(crate) fn simpler(&self, lasting: Duration) -> Vec<FaultKind> {
        self.kind().simpler(lasting)
    }

    /// The same kind with smaller numbers, the smallest first.
    pub(crate) fn milder(&self) -> Vec<FaultKind> {
        self.kind().milder()
    }

    /// A fault of this kind is not shortened below this.
    pub(crate) fn shortest(&self) -> Duration {
        self.kind().shortest()
    }

    /// The call of its constructor in Rust; `target` is the code of the hosts or of the two sides.
    pub(crate) fn rust(&self, target: &str) -> String {
        self.kind().rust(target)
    }
}

/// Its name and its parameters.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.kind().parameters_in_words();
        if parameters.is_empty() { f.write_str(self.name()) } else { write!(f, "{} {parameters}", self.name()) }
    }
}

#[cfg(test)]
mod tests;
