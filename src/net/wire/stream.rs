//! What goes wrong with the bytes of each connection in one direction of a link: they break off, wait or trickle. Each
//! connection is met for itself. It knows nothing of kernels and of turmoil.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::net::flow::FlowId;
use crate::trace::SegmentKind;

/// What goes wrong with the bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StreamKind {
    /// The connection breaks after so many bytes: politely, with the end of the stream, or with a reset.
    Break { after_bytes: u64, is_polite: bool, until: Duration },
    /// After so many bytes all waits.
    Stall { after_bytes: u64 },
    /// So many bytes arrive each `every`.
    Trickle { bytes: u64, every: Duration, until: Duration },
}

/// A fault of this kind, with what it knows of the connections that it has met.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stream {
    kind: StreamKind,
    flows: BTreeMap<FlowId, StreamProgress>,
    /// What waits for the end, in order.
    pub(super) held: Vec<Piece>,
}

/// How far a connection is since the fault met it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct StreamProgress {
    /// Bytes that went on.
    passed: u64,
    is_broken: bool,
    /// When the latest drop began to arrive, and how many bytes belong to it.
    drop: Option<(Duration, u64)>,
}

/// A segment, or a part of one, whose transmission has got through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) id: u32,
    /// When it was transmitted.
    pub(super) at: Duration,
    /// When it arrives, unless something is before it.
    pub(super) due: Duration,
}

/// What becomes of a piece that meets the fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meeting {
    /// It goes on as it is.
    Passes,
    /// It comes too late: its connection has been broken.
    Lost,
    /// So many of its bytes go on, and there the connection breaks.
    Breaks { after: usize, is_polite: bool },
    /// So many of its bytes go on, and the rest waits for the end.
    Waits { after: usize },
    /// Its bytes arrive drop by drop.
    Trickles,
}

impl Stream {
    pub(crate) fn new(kind: StreamKind) -> Stream {
        Stream { kind, flows: BTreeMap::new(), held: Vec::new() }
    }

    /// A piece of so many bytes meets the fault.
    pub(super) fn meet(&mut self, flow: FlowId, kind: SegmentKind, length: usize, piece: &Piece) -> Meeting {
        let progress = self.flows.entry(flow).or_default();
        let is_data = kind == SegmentKind::Data && length > 0;
        match self.kind {
            StreamKind::Break { .. } if progress.is_broken => Meeting::Lost,
            StreamKind::Break { after_bytes, is_polite, until } if is_data && piece.at < until => {
                let after = progress.take(length, after_bytes);
                progress.is_broken = progress.passed == after_bytes;
                if progress.is_broken { Meeting::Breaks { after, is_polite } } else { Meeting::Passes }
            }
            StreamKind::Break { .. } => Meeting::Passes,
            StreamKind::Stall { .. } if matches!(kind, SegmentKind::Syn | SegmentKind::SynAck) => Meeting::Passes,
            StreamKind::Stall { after_bytes } if progress.passed == after_bytes => Meeting::Waits { after: 0 },
            StreamKind::Stall { after_bytes } => match progress.take(length, after_bytes) {
                after if after < length => Meeting::Waits { after },
                _ => Meeting::Passes,
            },
            StreamKind::Trickle { until, .. } if is_data && piece.due < until => Meeting::Trickles,
            StreamKind::Trickle { .. } => Meeting::Passes,
        }
    }

    /// How many of so many bytes, due at this time, arrive in the next drop, and when.
    pub(super) fn next_drop(&mut self, flow: FlowId, length: usize, due: Duration) -> (usize, Duration) {
        let StreamKind::Trickle { bytes, every, until } = self.kind else { return (length, due) };
        self.flows.entry(flow).or_default().trickle(length, bytes, every, until, due)
    }
}

impl StreamProgress {
    /// How many of `length` bytes are within the first `most` of the connection; counts them.
    fn take(&mut self, length: usize, most: u64) -> usize {
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
        let (began, filled) = match self.drop {
            Some((began, filled)) if filled < bytes && due < began + every => (began, filled),
            Some((began, _)) => (due.max(began + every), 0),
            None => (due, 0),
        };
        let at = due.max(began);
        if at >= until {
            return (length, until);
        }
        let taken = (bytes - filled).min(length as u64);
        self.drop = Some((began, filled + taken));
        (taken as usize, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn meets(kind: StreamKind, pieces: &[(SegmentKind, usize, u64)]) -> Vec<Meeting> {
        let mut stream = Stream::new(kind);
        let meet = |(kind, length, due): &(SegmentKind, usize, u64)| {
            stream.meet(0, *kind, *length, &Piece { id: 0, at: ms(*due), due: ms(*due) })
        };
        pieces.iter().map(meet).collect()
    }

    #[test]
    fn a_connection_breaks_once_after_its_bytes() {
        use Meeting::{Breaks, Lost, Passes};
        use SegmentKind::{Data, Fin, SynAck};
        let check = |after_bytes: u64, pieces: &[(SegmentKind, usize, u64)], expected: &[Meeting]| {
            let kind = StreamKind::Break { after_bytes, is_polite: true, until: ms(100) };
            assert_eq!(meets(kind, pieces), expected);
        };
        let breaks = |after: usize| Breaks { after, is_polite: true };
        check(10, &[(SynAck, 0, 0), (Data, 4, 1), (Data, 9, 2), (Fin, 0, 3)], &[Passes, Passes, breaks(6), Lost]);
        check(4, &[(Data, 4, 1), (Data, 9, 2)], &[breaks(4), Lost]);
        check(0, &[(SynAck, 0, 0), (Data, 9, 2)], &[Passes, breaks(0)]);
        check(4, &[(Data, 3, 1), (Data, 9, 100)], &[Passes, Passes]);
    }

    #[test]
    fn a_stalled_connection_is_granted_and_then_silent() {
        use Meeting::{Passes, Waits};
        use SegmentKind::{Data, Fin, SynAck, Window};
        let check = |after_bytes: u64, pieces: &[(SegmentKind, usize, u64)], expected: &[Meeting]| {
            assert_eq!(meets(StreamKind::Stall { after_bytes }, pieces), expected);
        };
        let waits = |after: usize| Waits { after };
        check(5, &[(Window, 0, 0), (Data, 4, 0), (Data, 4, 0), (Fin, 0, 0)], &[Passes, Passes, waits(1), waits(0)]);
        check(4, &[(Data, 4, 0), (Window, 0, 0)], &[Passes, waits(0)]);
        check(0, &[(SynAck, 0, 0), (Data, 4, 0)], &[Passes, waits(0)]);
    }

    #[test]
    fn drops_come_apart_across_segments() {
        let kind = StreamKind::Trickle { bytes: 10, every: ms(100), until: ms(1_000) };
        let mut stream = Stream::new(kind);
        let mut next = |length: usize, due: u64| stream.next_drop(0, length, ms(due));
        assert_eq!(next(4, 0), (4, ms(0)));
        // The next segment fills the first drop, then one of its own, and begins a third.
        assert_eq!(next(20, 10), (6, ms(10)));
        assert_eq!(next(14, 10), (10, ms(100)));
        assert_eq!(next(4, 10), (4, ms(200)));
        assert_eq!(next(4, 950), (4, ms(950)));
        assert_eq!(next(9, 990), (6, ms(990)));
        assert_eq!(next(3, 990), (3, ms(1_000)), "what would come later comes at the end");
    }
}
