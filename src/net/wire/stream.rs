//! Faults of the bytes of each connection in one direction of a link: the connection breaks, stalls or trickles. Each
//! connection is affected separately.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::net::flow::FlowId;
use crate::trace::SegmentKind;

/// The kinds of stream faults.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StreamKind {
    /// The connection breaks after this many bytes: gracefully, with the end of the stream, or with a reset.
    Break { after_bytes: u64, is_graceful: bool, until: Duration },
    /// Everything after this many bytes waits for the end of the fault.
    Stall { after_bytes: u64 },
    /// At most this many bytes arrive in each period of `every`.
    Trickle { bytes: u64, every: Duration, until: Duration },
}

/// A stream fault, with the progress of the connections that it has affected.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stream {
    kind: StreamKind,
    flows: BTreeMap<FlowId, StreamProgress>,
    /// The pieces that wait for the end of the fault, in order.
    pub(super) held: Vec<Piece>,
}

/// The progress of one connection since the fault first affected it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct StreamProgress {
    /// Bytes that passed.
    passed: u64,
    is_broken: bool,
    /// When the latest portion began to arrive, and how many bytes it contains.
    portion: Option<(Duration, u64)>,
}

/// A segment, or a part of one, whose transmission got through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) id: u32,
    /// When it was transmitted.
    pub(super) at: Duration,
    /// When it arrives, unless an earlier piece delays it.
    pub(super) due: Duration,
}

/// The effect of a stream fault on a piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PieceFate {
    /// The piece passes unchanged.
    Passes,
    /// The piece is lost, because its connection is already broken.
    Lost,
    /// The first `after` bytes pass, and the connection breaks after them.
    Breaks { after: usize, is_graceful: bool },
    /// The first `after` bytes pass, and the rest waits for the end of the fault.
    Waits { after: usize },
    /// The bytes arrive a portion at a time.
    Trickles,
}

impl Stream {
    pub(crate) fn new(kind: StreamKind) -> Stream {
        Stream { kind, flows: BTreeMap::new(), held: Vec::new() }
    }

    /// Applies the fault to a piece of `length` bytes.
    pub(super) fn apply(&mut self, flow: FlowId, kind: SegmentKind, length: usize, piece: &Piece) -> PieceFate {
        let progress = self.flows.entry(flow).or_default();
        let is_data = kind == SegmentKind::Data && length > 0;
        match self.kind {
            StreamKind::Break { .. } if progress.is_broken => PieceFate::Lost,
            StreamKind::Break { after_bytes, is_graceful, until } if is_data && piece.at < until => {
                let after = progress.advance(length, after_bytes);
                progress.is_broken = progress.passed == after_bytes;
                if progress.is_broken { PieceFate::Breaks { after, is_graceful } } else { PieceFate::Passes }
            }
            StreamKind::Break { .. } => PieceFate::Passes,
            StreamKind::Stall { .. } if matches!(kind, SegmentKind::Syn | SegmentKind::SynAck | SegmentKind::Ack) => {
                PieceFate::Passes
            }
            StreamKind::Stall { after_bytes } if progress.passed == after_bytes => PieceFate::Waits { after: 0 },
            StreamKind::Stall { after_bytes } => match progress.advance(length, after_bytes) {
                after if after < length => PieceFate::Waits { after },
                _ => PieceFate::Passes,
            },
            StreamKind::Trickle { until, .. } if is_data && piece.due < until => PieceFate::Trickles,
            StreamKind::Trickle { .. } => PieceFate::Passes,
        }
    }

    /// How many of `length` bytes, due at this time, arrive in the next portion, and when.
    pub(super) fn next_portion(&mut self, flow: FlowId, length: usize, due: Duration) -> (usize, Duration) {
        let StreamKind::Trickle { bytes, every, until } = self.kind else { return (length, due) };
        self.flows.entry(flow).or_default().trickle(length, bytes, every, until, due)
    }
}

impl StreamProgress {
    /// Counts up to `length` bytes as passed, but no more than `most` in total; returns how many it counted.
    fn advance(&mut self, length: usize, most: u64) -> usize {
        let taken = (most - self.passed).min(length as u64);
        self.passed += taken;
        taken as usize
    }

    fn trickle(
        &mut self,
        length: usize,
        bytes: u64,
        every: Duration,
        until: Duration,
        due: Duration,
    ) -> (usize, Duration) {
        let (began, filled) = match self.portion {
            Some((began, filled)) if filled < bytes && due < began + every => (began, filled),
            Some((began, _)) => (due.max(began + every), 0),
            None => (due, 0),
        };
        let at = due.max(began);
        if at >= until {
            return (length, until);
        }
        let taken = (bytes - filled).min(length as u64);
        self.portion = Some((began, filled + taken));
        (taken as usize, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn meets(kind: StreamKind, pieces: &[(SegmentKind, usize, u64)]) -> Vec<PieceFate> {
        let mut stream = Stream::new(kind);
        let meet = |(kind, length, due): &(SegmentKind, usize, u64)| {
            stream.apply(0, *kind, *length, &Piece { id: 0, at: ms(*due), due: ms(*due) })
        };
        pieces.iter().map(meet).collect()
    }

    #[test]
    fn a_connection_breaks_once_after_its_bytes() {
        use PieceFate::{Breaks, Lost, Passes};
        use SegmentKind::{Data, Fin, SynAck};
        let check = |after_bytes: u64, pieces: &[(SegmentKind, usize, u64)], expected: &[PieceFate]| {
            let kind = StreamKind::Break { after_bytes, is_graceful: true, until: ms(100) };
            assert_eq!(meets(kind, pieces), expected);
        };
        let breaks = |after: usize| Breaks { after, is_graceful: true };
        check(10, &[(SynAck, 0, 0), (Data, 4, 1), (Data, 9, 2), (Fin, 0, 3)], &[Passes, Passes, breaks(6), Lost]);
        check(4, &[(Data, 4, 1), (Data, 9, 2)], &[breaks(4), Lost]);
        check(0, &[(SynAck, 0, 0), (Data, 9, 2)], &[Passes, breaks(0)]);
        check(4, &[(Data, 3, 1), (Data, 9, 100)], &[Passes, Passes]);
    }

    #[test]
    fn a_stalled_connection_is_accepted_and_then_silent() {
        use PieceFate::{Passes, Waits};
        use SegmentKind::{Data, Fin, SynAck, Window};
        let check = |after_bytes: u64, pieces: &[(SegmentKind, usize, u64)], expected: &[PieceFate]| {
            assert_eq!(meets(StreamKind::Stall { after_bytes }, pieces), expected);
        };
        let waits = |after: usize| Waits { after };
        check(5, &[(Window, 0, 0), (Data, 4, 0), (Data, 4, 0), (Fin, 0, 0)], &[Passes, Passes, waits(1), waits(0)]);
        check(4, &[(Data, 4, 0), (Window, 0, 0)], &[Passes, waits(0)]);
        check(0, &[(SynAck, 0, 0), (Data, 4, 0)], &[Passes, waits(0)]);
    }

    #[test]
    fn portions_span_segments_and_keep_their_distance() {
        let kind = StreamKind::Trickle { bytes: 10, every: ms(100), until: ms(1_000) };
        let mut stream = Stream::new(kind);
        let mut next = |length: usize, due: u64| stream.next_portion(0, length, ms(due));
        assert_eq!(next(4, 0), (4, ms(0)));
        // The next segment fills up the first portion, then fills a second one, and begins a third.
        assert_eq!(next(20, 10), (6, ms(10)));
        assert_eq!(next(14, 10), (10, ms(100)));
        assert_eq!(next(4, 10), (4, ms(200)));
        assert_eq!(next(4, 950), (4, ms(950)));
        assert_eq!(next(9, 990), (6, ms(990)));
        assert_eq!(next(3, 990), (3, ms(1_000)), "bytes that would arrive later arrive at the end of the fault");
    }
}
