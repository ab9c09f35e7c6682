//! Fates of single segments, as data: which transmissions of it are lost, and by how much it is late. This is what a
//! fault with a rate comes down to in one run.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{duration_text, text_duration};

/// A segment is transmitted at most so often: the last transmission always gets through (`tcp_retries2` of Linux).
pub const TRANSMISSIONS: u32 = 16;

/// What becomes of one segment. It is named by its connection and its number there, so that the name means the same
/// segment whatever other faults there are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentFate {
    /// The host that connected.
    pub from: String,
    /// The host that listens.
    pub to: String,
    /// The port that it listens on.
    pub port: u16,
    /// Which connect from this host to this port it was, from 0.
    pub connect: u32,
    /// Whether the segment goes back, from the listening host to the one that connected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
    /// Which segment of its sender on this connection it is, from 0.
    pub segment: u32,
    /// Which of its transmissions are lost, from 0, each below [`TRANSMISSIONS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<u32>,
    /// By how much it is late beyond that.
    #[serde(default, skip_serializing_if = "Duration::is_zero", with = "text_duration")]
    pub late: Duration,
    /// Which of its bits are flipped, from 0: bit n is bit n % 8, from the lowest, of byte n / 8. Bits that it does not
    /// have are passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrupted: Vec<u32>,
}

impl SegmentFate {
    /// Segment `segment` (from 0) that the host which connected sends on connection `connect` (from 0) to this port.
    pub fn new(from: &str, to: &str, port: u16, connect: u32, segment: u32) -> SegmentFate {
        let (from, to) = (from.to_owned(), to.to_owned());
        let (lost, late, corrupted) = (Vec::new(), Duration::ZERO, Vec::new());
        SegmentFate { from, to, port, connect, back: false, segment, lost, late, corrupted }
    }

    /// It goes back: the host that listens sends it.
    pub fn back(mut self) -> SegmentFate {
        self.back = true;
        self
    }

    /// Which of its transmissions are lost, from 0.
    pub fn lost<const COUNT: usize>(mut self, transmissions: [u32; COUNT]) -> SegmentFate {
        self.lost = transmissions.to_vec();
        self
    }

    /// By how much it is late.
    pub fn late(mut self, by: Duration) -> SegmentFate {
        self.late = by;
        self
    }

    /// Which of its bits are flipped, as in [`SegmentFate::flipped`].
    pub fn corrupted<const COUNT: usize>(mut self, bits: [u32; COUNT]) -> SegmentFate {
        self.corrupted = bits.to_vec();
        self
    }

    /// What is wrong with it as data, in one line; none if it can be carried out.
    pub(super) fn defect(&self) -> Option<String> {
        if let Some(lost) = self.lost.iter().find(|lost| **lost >= TRANSMISSIONS) {
            return Some(format!("transmission {lost} cannot be lost: a segment is transmitted {TRANSMISSIONS} times"));
        }
        let is_as_sent = self.lost.is_empty() && self.late.is_zero() && self.corrupted.is_empty();
        is_as_sent.then(|| "a segment is neither `lost` nor `late` nor `corrupted`".to_owned())
    }
}

impl fmt::Display for SegmentFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SegmentFate { from, to, port, connect, back, segment, lost, late, corrupted } = self;
        let arrow = if *back { '←' } else { '→' };
        write!(f, "segment {} of {from} {arrow} {to}:{port} (connection {})", segment + 1, connect + 1)?;
        match lost.len() {
            0 => {}
            1 => write!(f, " lost")?,
            times => write!(f, " lost {times} times")?,
        }
        if !late.is_zero() {
            write!(f, " late by {}", duration_text(*late))?;
        }
        for bit in corrupted {
            write!(f, " with bit {} of byte {} flipped", bit % 8, bit / 8)?;
        }
        Ok(())
    }
}
