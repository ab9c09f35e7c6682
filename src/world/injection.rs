//! How each kind of fault is injected into the layer that simulates it. Apart from the kinds' own files, this is the
//! only file with a case for each of them.

use std::time::Duration;

use crate::disk::{DiskCall, DiskSpeed, Trouble};
use crate::fault::{DiskCalls, FaultKind, SegmentFate};
use crate::net::{BlockKind, Chain, IdleWatch, LinkFault, NameTrouble, Queue, Stream, StreamKind};
use crate::trace::HostId;

/// The way in which a fault is injected.
pub(super) enum Injection<'a> {
    /// Takes hosts down.
    Down(GoingDown),
    /// Disturbs each direction of a link with a fault that is made for this direction.
    Link(Box<dyn Fn(&FaultyLink) -> LinkFault + 'a>),
    /// Loses, delays or corrupts single segments.
    Segments(&'a [SegmentFate]),
    /// Disturbs the disk of a host.
    Disk(Trouble),
    /// Limits the sockets of a host.
    Sockets(SocketLimit),
    /// Makes the wall clock of a host wrong.
    Clock(ClockError),
    /// Stalls the output of a host: nothing that its programs send leaves the machine.
    OutputStall,
    /// Pauses the process of a host.
    Pause,
    /// Makes programs that start on a host listen this much later.
    SlowStart(Duration),
    /// Kills programs that have this many requests in flight, and restarts them after a time.
    OutOfMemory { in_flight: u32, restart_after: Duration },
    /// Disturbs the lookup of names.
    Names(NameTrouble),
}

/// How a host goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoingDown {
    Kill,
    PowerOff,
    Stop { grace: Duration },
}

/// How the sockets of a host are limited, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketLimit {
    Read(u64),
    Write(u64),
    Window(u64),
}

/// The error of a wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockError {
    Skew { by_ms: i64 },
    Drift { parts_per_million: i64 },
}

/// One direction of a link with a fault. The wire decides retransmissions ahead of their time, so each link fault
/// carries the time at which it ends.
pub(super) struct FaultyLink {
    pub(super) from: HostId,
    pub(super) to: HostId,
    pub(super) begins: Duration,
    pub(super) lasting: Duration,
    /// The end of the fault, or of the time in which faults may happen if that is earlier.
    pub(super) until: Duration,
}

impl Injection<'_> {
    /// The injection of a fault of this kind.
    pub(super) fn of(kind: &FaultKind) -> Injection<'_> {
        match kind {
            FaultKind::Loss(loss) => link(|link| LinkFault::Loss { rate: loss.rate, until: link.until }),
            FaultKind::BurstLoss(bursts) => link(|link| {
                let chain = Chain::new(link.from, link.to, link.begins, bursts.gap, bursts.burst);
                LinkFault::Burst { chain, rate: bursts.rate, until: link.until }
            }),
            FaultKind::Latency(latency) => link(|link| {
                let (at_least, at_most) = (latency.at_least, latency.at_most);
                LinkFault::Latency { at_least, at_most, until: link.until }
            }),
            FaultKind::LatencyWave(wave) => link(|link| {
                let (begins, lasting) = (link.begins, link.lasting);
                LinkFault::Wave { peak: wave.peak, begins, lasting }
            }),
            FaultKind::Bandwidth(bandwidth) => link(|link| {
                let queue = Queue::new(bandwidth.bytes_per_second, bandwidth.queue_bytes);
                LinkFault::Bandwidth { queue, until: link.until }
            }),
            FaultKind::Segments(segments) => Injection::Segments(&segments.fates),
            FaultKind::Partition(_) | FaultKind::PartitionOneWay(_) => block(BlockKind::Partition),
            FaultKind::PartitionWithReset(_) => block(BlockKind::PartitionWithReset),
            FaultKind::Hold(_) => block(BlockKind::Hold),
            FaultKind::Reset(reset) => stream(|until| {
                let after_bytes = reset.after_bytes;
                StreamKind::Break { after_bytes, is_graceful: false, until }
            }),
            FaultKind::Close(close) => stream(|until| {
                let after_bytes = close.after_bytes;
                StreamKind::Break { after_bytes, is_graceful: true, until }
            }),
            FaultKind::Stall(stall) => stream(|_| StreamKind::Stall { after_bytes: stall.after_bytes }),
            FaultKind::Trickle(trickle) => {
                stream(|until| StreamKind::Trickle { bytes: trickle.bytes, every: trickle.every, until })
            }
            FaultKind::Duplicate(twice) => link(|link| LinkFault::Duplicate { rate: twice.rate, until: link.until }),
            FaultKind::Corrupt(corrupt) => link(|link| LinkFault::Corrupt { rate: corrupt.rate, until: link.until }),
            FaultKind::CloseIdle(close) => link(|_| LinkFault::CloseIdle(IdleWatch::new(close.idle_for))),
            FaultKind::HalfOpen(_) => link(|_| LinkFault::HalfOpen),
            FaultKind::ShortReads(short) => Injection::Sockets(SocketLimit::Read(short.at_most_bytes)),
            FaultKind::ShortWrites(short) => Injection::Sockets(SocketLimit::Write(short.at_most_bytes)),
            FaultKind::SmallWindow(window) => Injection::Sockets(SocketLimit::Window(window.bytes)),
            FaultKind::Kill(_) => Injection::Down(GoingDown::Kill),
            FaultKind::PowerOff(_) => Injection::Down(GoingDown::PowerOff),
            FaultKind::Stop(stop) => Injection::Down(GoingDown::Stop { grace: stop.grace }),
            FaultKind::DiskErrors(errors) => {
                let call = match errors.calls {
                    DiskCalls::All => None,
                    DiskCalls::Reads => Some(DiskCall::Read),
                    DiskCalls::Writes => Some(DiskCall::Write),
                    DiskCalls::Syncs => Some(DiskCall::Sync),
                };
                Injection::Disk(Trouble::Errors { call, rate: errors.rate })
            }
            FaultKind::DiskFull(full) => Injection::Disk(Trouble::Full { free_bytes: full.free_bytes }),
            FaultKind::DiskSlow(slow) => {
                Injection::Disk(Trouble::Slow(DiskSpeed { read: slow.read, write: slow.write, sync: slow.sync }))
            }
            FaultKind::DiskCorruption(corruption) => Injection::Disk(Trouble::Corruption { rate: corruption.rate }),
            FaultKind::LostSyncs(_) => Injection::Disk(Trouble::LostSyncs),
            FaultKind::OutputStall(_) => Injection::OutputStall,
            FaultKind::Pause(_) => Injection::Pause,
            FaultKind::SlowStart(slow) => Injection::SlowStart(slow.by),
            FaultKind::OutOfMemory(memory) => {
                Injection::OutOfMemory { in_flight: memory.in_flight, restart_after: memory.restart_after }
            }
            FaultKind::ClockSkew(skew) => Injection::Clock(ClockError::Skew { by_ms: skew.by_ms }),
            FaultKind::ClockDrift(drift) => {
                Injection::Clock(ClockError::Drift { parts_per_million: drift.parts_per_million })
            }
            FaultKind::DnsSlow(slow) => Injection::Names(NameTrouble::Late(slow.by)),
            FaultKind::DnsBlackhole(_) => Injection::Names(NameTrouble::Dead),
            FaultKind::DnsNotFound(_) => Injection::Names(NameTrouble::Nothing),
        }
    }
}

fn link<'a>(fault: impl Fn(&FaultyLink) -> LinkFault + 'a) -> Injection<'a> {
    Injection::Link(Box::new(fault))
}

fn block<'a>(kind: BlockKind) -> Injection<'a> {
    link(move |_| LinkFault::Block(kind))
}

fn stream<'a>(kind: impl Fn(Duration) -> StreamKind + 'a) -> Injection<'a> {
    link(move |link| LinkFault::Stream(Stream::new(kind(link.until))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault;

    #[test]
    fn every_kind_is_injected_where_it_claims_to_act() {
        for (kind, _) in fault::kinds() {
            let (is_for_hosts, is_down, is_of_names) = match Injection::of(&kind) {
                Injection::Down(_) => (true, true, false),
                Injection::Link(_) | Injection::Segments(_) => (false, false, false),
                Injection::Names(_) => (false, false, true),
                Injection::Disk(_)
                | Injection::Sockets(_)
                | Injection::Clock(_)
                | Injection::OutputStall
                | Injection::Pause
                | Injection::SlowStart(_)
                | Injection::OutOfMemory { .. } => (true, false, false),
            };
            let claimed = (kind.is_for_hosts(), kind.takes_hosts_down(), kind.is_of_names());
            assert_eq!((is_for_hosts, is_down, is_of_names), claimed, "{kind}");
        }
    }
}
