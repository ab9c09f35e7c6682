//! The order of a stream: the receiver's kernel keeps what arrives behind a lost segment until a later transmission of
//! that segment gets through.

use std::collections::BTreeMap;

use super::stream::Piece;
use crate::net::flow::{FlowId, Side};

/// The gaps in all streams. Streams without a lost segment have no entry.
#[derive(Debug, Default)]
pub(super) struct Gaps(BTreeMap<(FlowId, usize), Gap>);

/// The gaps in what one side has sent.
#[derive(Debug, Default)]
struct Gap {
    /// The numbers of the segments that are lost so far, each with its ticket.
    lost: Vec<(u32, u32)>,
    /// What got through behind them, by the number of its segment.
    behind: BTreeMap<u32, Piece>,
}

impl Gaps {
    /// A transmission of this segment was lost.
    pub(super) fn lose(&mut self, flow: FlowId, side: Side, ordinal: u32, id: u32) {
        let gap = self.0.entry((flow, side.index())).or_default();
        if !gap.lost.contains(&(ordinal, id)) {
            gap.lost.push((ordinal, id));
        }
    }

    /// A transmission of this segment got through: returns the pieces that the receiver's kernel can now pass on, in
    /// order. Without gaps that is the piece itself.
    pub(super) fn fill(&mut self, flow: FlowId, side: Side, ordinal: u32, piece: Piece) -> Filled {
        let Some(gap) = self.0.get_mut(&(flow, side.index())) else { return Filled::Only(piece) };
        gap.lost.retain(|(_, id)| *id != piece.id);
        gap.behind.insert(ordinal, piece);
        let first_lost = gap.lost.iter().map(|(ordinal, _)| *ordinal).min();
        match first_lost {
            None => Filled::All(self.0.remove(&(flow, side.index())).unwrap_or_default().behind),
            Some(first_lost) => {
                let behind = gap.behind.split_off(&first_lost);
                Filled::All(std::mem::replace(&mut gap.behind, behind))
            }
        }
    }

    /// The sender's kernel sends nothing again: returns the tickets of all that was lost, or waits behind it.
    pub(super) fn give_up(&mut self, flow: FlowId, side: Side) -> Vec<u32> {
        let Gap { lost, behind } = self.0.remove(&(flow, side.index())).unwrap_or_default();
        lost.into_iter().map(|(_, id)| id).chain(behind.into_values().map(|piece| piece.id)).collect()
    }
}

/// The pieces that can be passed on, in order.
pub(super) enum Filled {
    /// The stream has no gap.
    Only(Piece),
    All(BTreeMap<u32, Piece>),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fill(gaps: &mut Gaps, ordinal: u32) -> Vec<u32> {
        let piece = Piece { id: 100 + ordinal, at: Duration::ZERO, due: Duration::ZERO };
        match gaps.fill(0, Side::Client, ordinal, piece) {
            Filled::Only(piece) => vec![piece.id],
            Filled::All(pieces) => pieces.into_values().map(|piece| piece.id).collect(),
        }
    }

    #[test]
    fn what_is_behind_a_lost_segment_waits_for_it() {
        let mut gaps = Gaps::default();
        assert_eq!(fill(&mut gaps, 1), [101]);
        gaps.lose(0, Side::Client, 2, 102);
        gaps.lose(0, Side::Client, 4, 104);
        gaps.lose(0, Side::Client, 4, 104);
        assert!(fill(&mut gaps, 5).is_empty());
        assert!(fill(&mut gaps, 3).is_empty());
        assert_eq!(fill(&mut gaps, 2), [102, 103]);
        assert_eq!(fill(&mut gaps, 4), [104, 105]);
        assert_eq!(fill(&mut gaps, 6), [106]);
        assert!(gaps.0.is_empty());
    }

    #[test]
    fn a_sender_that_is_gone_fills_no_gap() {
        let mut gaps = Gaps::default();
        gaps.lose(0, Side::Client, 2, 102);
        assert!(fill(&mut gaps, 3).is_empty());
        assert!(gaps.give_up(0, Side::Server).is_empty());
        assert_eq!(gaps.give_up(0, Side::Client), [102, 103]);
        assert!(gaps.give_up(0, Side::Client).is_empty());
    }
}
