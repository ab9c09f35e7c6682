//! The kinds of faults, with their parameters. It knows nothing of where and when they strike.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Intensity, SegmentFate, millis, text_duration};

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
    /// These very segments are lost, late or changed, and no others: what loss, latency or corrupts came down to in one run.
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
    PartitionWithReset,
    /// Nothing passes while it lasts, then everything at once.
    Hold,
    /// Each connection is reset in the middle, once: when `after_bytes` bytes have been sent on it in one direction while
    /// this lasts, the receiver gets exactly these and then a reset, and the sender is reset after one latency.
    Reset {
        /// Bytes that pass before it; with 0, the message with which a connection is met is lost as a whole.
        after_bytes: u64,
    },
    /// As [`FaultKind::Reset`], but politely: the receiver gets exactly `after_bytes` bytes and then the end of the
    /// stream, the sender the end of the stream too, and whoever writes on is reset after one latency.
    Close {
        /// Bytes that pass before it.
        after_bytes: u64,
    },
    /// When `after_bytes` bytes have been sent on a connection in one direction while this lasts, nothing more passes on
    /// it in this direction until the end, then everything at once. Connects are granted all the same.
    Stall {
        /// Bytes that pass before it.
        after_bytes: u64,
    },
    /// The bytes of each connection arrive slowly, in each direction: `bytes` of them at once, and then as many each
    /// `every`. What is left at the end arrives then.
    Trickle {
        /// How many bytes arrive together; at least 1.
        bytes: u64,
        /// The time from one such arrival to the next; more than nothing.
        #[serde(with = "text_duration")]
        every: Duration,
    },
    /// Each segment with bytes has one bit of one byte flipped, with probability `rate`. The head of an HTTP/1 message is
    /// left alone: of a segment that begins with one, or has the end of one in it, a byte behind it is taken, if any.
    Corrupt {
        /// Probability in `[0, 1]`.
        rate: f64,
    },
    /// Connections that the first side opened to the second are closed while they are idle: with nothing on the way and
    /// nothing unread, both ends get the end of the stream, as if the other had sent it just then, and whoever writes,
    /// knowing of it or not yet, is reset after one latency. It befalls all that are idle when it begins, and those that become so and stay so for `idle_for`.
    CloseIdle {
        /// How long a connection must have been idle, while this lasts; exact to a step.
        #[serde(with = "text_duration")]
        idle_for: Duration,
    },
    /// The kernels of the second side forget their open connections with the first when it begins, and say nothing: their
    /// programs are reset, and the first side believes in a connection until it sends on it, which is answered with a
    /// reset. New connections work.
    HalfOpen,
    /// Each read of the hosts' programs from a connection returns at most so many bytes, though more are there.
    ShortReads {
        /// Bytes; at least 1.
        at_most_bytes: u64,
    },
    /// Each write of the hosts' programs to a connection accepts at most so many bytes, though there is room for more.
    ShortWrites {
        /// Bytes; at least 1.
        at_most_bytes: u64,
    },
    /// Each connection to the hosts has room for so many bytes that are on the way or unread, from its beginning to its
    /// end. Who sends knows of both at once; of room that reading makes, after the latency of the link.
    SmallWindow {
        /// Bytes; at least 1, and without effect if there is not as much room anyway.
        bytes: u64,
    },
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
    /// Calls of the machine's disk fail with an I/O error (EIO, 5), each with probability `rate`, and have no effect. After
    /// a failed sync, as on Linux, what it was to bring to the durable state is not brought by a later one unless it is written
    /// again, and the next power off loses it. The luck of a call is its own: of two such faults at a time on one disk, the
    /// one with the higher rate decides.
    DiskErrors {
        /// Probability in `[0, 1]`.
        rate: f64,
        /// Which calls.
        calls: DiskCalls,
    },
    /// Files on the machine's disk cannot grow by more than this in all (ENOSPC, 28, `ErrorKind::StorageFull`). What is
    /// overwritten in place is.
    DiskFull {
        /// How much is free when it begins.
        free_bytes: u64,
    },
    /// Calls of the machine's disk take so much longer, each.
    DiskSlow {
        /// What is added to each read.
        #[serde(with = "text_duration")]
        read: Duration,
        /// What is added to each write, and each change of a length or a name.
        #[serde(with = "text_duration")]
        write: Duration,
        /// What is added to each sync.
        #[serde(with = "text_duration")]
        sync: Duration,
    },
    /// Reads of the machine's disk return one bit that is wrong, each with probability `rate`. What is on the disk stays
    /// right, so that another read may return it as it is. Of two such faults, the one with the higher rate decides.
    DiskCorruption {
        /// Probability in `[0, 1]`.
        rate: f64,
    },
    /// Syncs of the machine's disk do nothing and say that they did: a power off then takes what programs think is on the
    /// durable state. A sync after the end brings everything.
    LostSyncs,
    /// The process hangs: its machine goes on granting connections and taking in bytes, and answers for whoever is not
    /// there, but nothing that the program sends (bytes, or the end of its stream) leaves before the end of the fault, when
    /// all of it does. What the program does meanwhile for itself, it does; what its machine says to itself is heard.
    OutputStall,
    /// A program that starts while this lasts begins to listen late, on whatever port and as long as it lives: until then
    /// connects are refused. Several at a time add up.
    SlowStart {
        /// How much later than the program wants it.
        #[serde(with = "text_duration")]
        by: Duration,
    },
    /// The process is killed when it has too much to do at once: connections that it has accepted, on which bytes came in
    /// since it last sent any. It dies at the start of the step after that, once in each life, and is started again by a
    /// supervisor, at the latest when all faults are over.
    OutOfMemory {
        /// So many requests in flight are too many; at least 1.
        in_flight: u32,
        /// How long the supervisor takes.
        #[serde(with = "text_duration")]
        restart_after: Duration,
    },
    /// The wall clock is wrong: it jumps when the fault begins, and back when it ends. Monotonic clocks stay right. What
    /// several such faults do at a time adds up, also with drifts.
    ClockSkew {
        /// By how much, in milliseconds; a negative number is in the past. Not 0, and at most 10^12 either way.
        by_ms: i64,
    },
    /// The wall clock runs at a wrong speed: it is right when the fault begins, and steps back to the true time at its end,
    /// as a clock does that is set anew. Monotonic clocks stay right.
    ClockDrift {
        /// By how many microseconds it is wrong after a second; negative if it is slow. Not 0, and less than a million
        /// either way.
        parts_per_million: i64,
    },
    /// Names are looked up slowly: each connect of the first side to a name of the second waits before it asks for a
    /// connection. Several at a time add up. Addresses are not looked up.
    DnsSlow {
        /// How long it takes to find the address.
        #[serde(with = "text_duration")]
        by: Duration,
    },
    /// The names of the second side lead the first to an address at which nobody is: a connect hangs until its client gives
    /// up, or the kernel after 131 s. Open connections go on.
    DnsBlackhole,
    /// The names of the second side are not known to the first: a connect fails at once, as it does for a name that does not
    /// exist. Open connections go on.
    DnsNotFound,
}

/// Which calls of a disk a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskCalls {
    /// Reads, writes and syncs.
    All,
    /// Reads of files and directories.
    Reads,
    /// Writes to the cache, and changes of a length or a name.
    Writes,
    /// Syncs of files and directories.
    Syncs,
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
            FaultKind::PartitionWithReset => "partition with reset",
            FaultKind::Hold => "hold",
            FaultKind::Reset { .. } => "reset",
            FaultKind::Close { .. } => "close",
            FaultKind::Stall { .. } => "stall",
            FaultKind::Trickle { .. } => "trickle",
            FaultKind::Corrupt { .. } => "corrupt",
            FaultKind::CloseIdle { .. } => "close idle",
            FaultKind::HalfOpen => "half-open",
            FaultKind::ShortReads { .. } => "short reads",
            FaultKind::ShortWrites { .. } => "short writes",
            FaultKind::SmallWindow { .. } => "small window",
            FaultKind::Kill => "kill",
            FaultKind::PowerOff => "power off",
            FaultKind::Stop { .. } => "stop",
            FaultKind::DiskErrors { calls, .. } => match calls {
                DiskCalls::All => "disk errors",
                DiskCalls::Reads => "read errors",
                DiskCalls::Writes => "write errors",
                DiskCalls::Syncs => "sync errors",
            },
            FaultKind::DiskFull { .. } => "disk full",
            FaultKind::DiskSlow { .. } => "disk slow",
            FaultKind::DiskCorruption { .. } => "disk corruption",
            FaultKind::LostSyncs => "lost syncs",
            FaultKind::OutputStall => "output stall",
            FaultKind::SlowStart { .. } => "slow start",
            FaultKind::OutOfMemory { .. } => "out of memory",
            FaultKind::ClockSkew { .. } => "clock skew",
            FaultKind::ClockDrift { .. } => "clock drift",
            FaultKind::DnsSlow { .. } => "dns slow",
            FaultKind::DnsBlackhole => "dns blackhole",
            FaultKind::DnsNotFound => "dns not found",
        }
    }

    /// Whether it befalls hosts (and not links).
    pub fn is_for_hosts(&self) -> bool {
        self.takes_hosts_down()
            || matches!(
                self,
                FaultKind::DiskErrors { .. }
                    | FaultKind::DiskFull { .. }
                    | FaultKind::DiskSlow { .. }
                    | FaultKind::DiskCorruption { .. }
                    | FaultKind::LostSyncs
                    | FaultKind::OutputStall
                    | FaultKind::SlowStart { .. }
                    | FaultKind::OutOfMemory { .. }
                    | FaultKind::ClockSkew { .. }
                    | FaultKind::ClockDrift { .. }
                    | FaultKind::ShortReads { .. }
                    | FaultKind::ShortWrites { .. }
                    | FaultKind::SmallWindow { .. }
            )
    }

    /// Whether it goes from the first side to the second, whatever its target says.
    pub fn is_one_way(&self) -> bool {
        matches!(self, FaultKind::PartitionOneWay | FaultKind::HalfOpen) || self.is_of_names()
    }

    /// Whether it befalls the looking up of names.
    pub(crate) fn is_of_names(&self) -> bool {
        matches!(self, FaultKind::DnsSlow { .. } | FaultKind::DnsBlackhole | FaultKind::DnsNotFound)
    }

    /// Whether it takes hosts down: their programs end when it begins, and are started again when it is over.
    pub fn takes_hosts_down(&self) -> bool {
        matches!(self, FaultKind::Kill | FaultKind::PowerOff | FaultKind::Stop { .. })
    }

    /// The same kind, as much harder as this says, as far as it has a measure: rates and delays grow, bandwidth and what lies
    /// between bursts shrink. Clocks are wrong by what their generator says.
    pub fn scaled(&self, intensity: Intensity) -> FaultKind {
        let rate_of = |rate: f64| intensity.times(rate).min(1.0);
        let time = |time: Duration| intensity.lengthen(time);
        match self {
            FaultKind::Loss { rate } => FaultKind::Loss { rate: rate_of(*rate) },
            FaultKind::BurstLoss { gap, burst, rate } => {
                FaultKind::BurstLoss { gap: intensity.shorten(*gap).max(BURST_SLOT), burst: *burst, rate: *rate }
            }
            FaultKind::Latency { at_least, at_most } => {
                FaultKind::Latency { at_least: time(*at_least), at_most: time(*at_most) }
            }
            FaultKind::LatencyWave { peak } => FaultKind::LatencyWave { peak: time(*peak) },
            FaultKind::Bandwidth { bytes_per_second, queue_bytes } => {
                let bytes = (*bytes_per_second as f64 / intensity.times(1.0)).max(1.0);
                FaultKind::Bandwidth { bytes_per_second: bytes as u64, queue_bytes: *queue_bytes }
            }
            FaultKind::Corrupt { rate } => FaultKind::Corrupt { rate: rate_of(*rate) },
            FaultKind::DiskErrors { rate, calls } => FaultKind::DiskErrors { rate: rate_of(*rate), calls: *calls },
            FaultKind::DiskCorruption { rate } => FaultKind::DiskCorruption { rate: rate_of(*rate) },
            FaultKind::DiskSlow { read, write, sync } => {
                FaultKind::DiskSlow { read: time(*read), write: time(*write), sync: time(*sync) }
            }
            FaultKind::SlowStart { by } => FaultKind::SlowStart { by: time(*by) },
            FaultKind::DnsSlow { by } => FaultKind::DnsSlow { by: time(*by) },
            _ => self.clone(),
        }
    }
}

/// In burst loss, a direction of a link stays in its state for a whole number of such spans of time.
pub const BURST_SLOT: Duration = millis(10);
