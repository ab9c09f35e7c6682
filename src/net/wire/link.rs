//! One direction of a link: its active faults, and the effect of each on one transmission.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::burst::Chain;
use super::idle::IdleWatch;
use super::queue::Queue;
use super::retransmit::RETRANSMIT_AFTER;
use super::stream::Stream;
use crate::net::headline::headline;
use crate::seed::Seed;
use crate::trace::{FlowKey, HostId};

/// The behaviour of links without faults.
#[derive(Clone, Debug)]
pub(crate) struct WireSettings {
    pub(crate) seed: Seed,
    /// One-way latency of every link.
    pub(crate) latency: Range<Duration>,
    /// One-way latency of some links, in both directions.
    pub(crate) latencies: Vec<(HostId, HostId, Range<Duration>)>,
}

/// The ways in which a fault blocks a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BlockKind {
    /// Segments are lost, and their kernels retransmit them.
    Partition,
    /// Segments are lost, and their senders receive a reset.
    PartitionWithReset,
    /// Segments wait.
    Hold,
    /// The output of a program waits in its machine; segments that the machine's kernel sends by itself pass.
    OutputStall,
}

/// The planned fate of one segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fate {
    /// The transmissions that are lost: bit n for the n-th.
    pub(crate) lost: u32,
    /// The additional delay.
    pub(crate) late: Duration,
    /// The bits that are inverted.
    pub(crate) corrupted: Vec<u32>,
}

/// The planned fates of single segments, by connection, direction (true from the connecting host on) and number.
pub(crate) type Fates = BTreeMap<(FlowKey, bool, u32), Fate>;

/// A fault of one direction of a link.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LinkFault {
    Block(BlockKind),
    Loss {
        rate: f64,
        until: Duration,
    },
    Burst {
        chain: Chain,
        rate: f64,
        until: Duration,
    },
    Latency {
        at_least: Duration,
        at_most: Duration,
        until: Duration,
    },
    Wave {
        peak: Duration,
        begins: Duration,
        lasting: Duration,
    },
    Bandwidth {
        queue: Queue,
        until: Duration,
    },
    /// Datagrams arrive twice.
    Duplicate {
        rate: f64,
        until: Duration,
    },
    Segments(Arc<Fates>),
    Corrupt {
        rate: f64,
        until: Duration,
    },
    Stream(Stream),
    CloseIdle(IdleWatch),
    /// Acts once, when it begins.
    HalfOpen,
}

/// One transmission of a segment.
pub(super) struct Transmission {
    /// Its connection, its direction (true from the connecting host on) and its number there.
    pub(super) segment: (FlowKey, bool, u32),
    /// The key of decisions about this transmission: the same, with the number of the transmission.
    pub(super) name: [u64; 4],
    pub(super) at: Duration,
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) latency: Range<Duration>,
    pub(super) faults: Vec<(u32, LinkFault)>,
    pub(super) stalled: Vec<u32>,
}

impl Link {
    /// The fault that blocks a segment, and how. `from_program` says that the segment carries the output of a program,
    /// rather than being sent by the kernel itself.
    pub(super) fn block(&self, from_program: bool) -> Option<(u32, BlockKind)> {
        let blocks = self.faults.iter().filter_map(|(fault, what)| match what {
            LinkFault::Block(BlockKind::OutputStall) if !from_program => None,
            LinkFault::Block(kind) => Some((*fault, *kind)),
            _ => None,
        });
        // A partition takes precedence over a hold, because it loses connection requests, and over a partition with
        // reset, because no segment reaches the firewall that would answer.
        blocks.min_by_key(|(_, kind)| *kind)
    }

    pub(super) fn retransmission_timeout(&self) -> Duration {
        self.latency.start + self.latency.end + RETRANSMIT_AFTER
    }

    /// The fault that lets this datagram arrive twice, if any.
    pub(super) fn duplicates(&self, seed: Seed, sent: &Transmission) -> Option<u32> {
        let is_sent_twice = |what: &LinkFault| match what {
            LinkFault::Duplicate { rate, until } => {
                sent.at < *until && seed.decide_unit("arrives twice", &sent.name) < *rate
            }
            _ => false,
        };
        self.faults.iter().find_map(|(fault, what)| is_sent_twice(what).then_some(*fault))
    }

    /// The fault that loses this transmission, if any.
    pub(super) fn lost(&mut self, seed: Seed, sent: &Transmission) -> Option<u32> {
        let Transmission { segment, name, at, bytes } = sent;
        let is_lost = |what: &mut LinkFault| match what {
            LinkFault::Loss { rate, until } => at < until && seed.decide_unit("loss", name) < *rate,
            LinkFault::Burst { chain, rate, until } => {
                at < until && chain.is_in_burst(seed, *at) && seed.decide_unit("loss in a burst", name) < *rate
            }
            LinkFault::Bandwidth { queue, until } => at < until && queue.is_full(*at, *bytes),
            LinkFault::Segments(fates) => fates.get(segment).is_some_and(|fate| fate.lost >> name[3] & 1 == 1),
            LinkFault::Block(_)
            | LinkFault::Latency { .. }
            | LinkFault::Wave { .. }
            | LinkFault::Duplicate { .. }
            | LinkFault::Corrupt { .. }
            | LinkFault::Stream(_)
            | LinkFault::CloseIdle(_)
            | LinkFault::HalfOpen => false,
        };
        self.faults.iter_mut().find_map(|(fault, what)| is_lost(what).then_some(*fault))
    }
}

impl LinkFault {
    /// How much this fault delays a transmission that gets through.
    pub(super) fn extra(&mut self, seed: Seed, sent: &Transmission) -> Duration {
        match self {
            LinkFault::Latency { until, .. } if sent.at >= *until => Duration::ZERO,
            LinkFault::Latency { at_least, at_most, .. } => {
                within(&(*at_least..*at_most), seed.decide_unit("extra latency", &sent.name))
            }
            LinkFault::Wave { peak, begins, lasting } => {
                let elapsed = sent.at.saturating_sub(*begins);
                let to_the_nearer_end = elapsed.min(lasting.saturating_sub(elapsed));
                let half = lasting.checked_div(2).filter(|half| !half.is_zero());
                half.map_or(Duration::ZERO, |half| peak.mul_f64(to_the_nearer_end.div_duration_f64(half).min(1.0)))
            }
            LinkFault::Bandwidth { until, .. } if sent.at >= *until => Duration::ZERO,
            LinkFault::Bandwidth { queue, until } => {
                // Segments that still wait when the fault ends leave at once.
                queue.enqueue(sent.at, sent.bytes).min(*until - sent.at)
            }
            LinkFault::Segments(fates) => fates.get(&sent.segment).map_or(Duration::ZERO, |fate| fate.late),
            LinkFault::Block(_)
            | LinkFault::Loss { .. }
            | LinkFault::Burst { .. }
            | LinkFault::Duplicate { .. }
            | LinkFault::Corrupt { .. }
            | LinkFault::Stream(_)
            | LinkFault::CloseIdle(_)
            | LinkFault::HalfOpen => Duration::ZERO,
        }
    }

    /// The bits of a segment with these bytes that this fault corrupts. The decision belongs to the segment, whichever
    /// of its transmissions gets through. `is_corrupted` says that another fault has corrupted the segment already: the
    /// rates of several faults do not add up.
    pub(super) fn corrupts(&self, seed: Seed, sent: &Transmission, bytes: &[u8], is_corrupted: bool) -> Vec<u32> {
        match self {
            LinkFault::Segments(fates) => match fates.get(&sent.segment) {
                Some(fate) => fate.corrupted.iter().copied().filter(|bit| (bit / 8) < bytes.len() as u32).collect(),
                None => Vec::new(),
            },
            LinkFault::Corrupt { rate, until } if !is_corrupted && sent.at < *until => {
                let [hosts, connect, segment, _] = sent.name;
                let name = [hosts, connect, segment];
                let head = head_length(bytes);
                let count = (bytes.len() - head) as u64 * 8;
                if count == 0 || seed.decide_unit("flip", &name) >= *rate {
                    return Vec::new();
                }
                vec![(head as u64 * 8 + seed.decide("flipped bit", &name) % count) as u32]
            }
            _ => Vec::new(),
        }
    }
}

/// How many bytes of a segment belong to the head of an HTTP/1 message: all if the head continues in the next segment,
/// none if there is no head.
fn head_length(bytes: &[u8]) -> usize {
    const END: &[u8] = b"\r\n\r\n";
    match bytes.windows(END.len()).position(|window| window == END) {
        Some(head) => head + END.len(),
        None if headline(bytes).is_some() => bytes.len(),
        None => 0,
    }
}

pub(super) fn within(range: &Range<Duration>, unit: f64) -> Duration {
    range.start + range.end.saturating_sub(range.start).mul_f64(unit)
}
