//! Fates of single segments, as data: the transmissions that are lost, the delay, and the bits that are flipped.
//! Shrinking replaces a fault with a rate by the fates of the segments that it affected.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{duration_text, text_duration};

/// The most transmissions of one segment that can be lost: with Linux's default `tcp_retries2`, the kernel gives the
/// connection up after them.
pub const TRANSMISSIONS: u32 = 18;

/// What happens to one segment. A segment is named by its connection and its number there, so that the name means the
/// same segment whichever other faults a plan has.
///
/// ```
/// use squall::fault::SegmentFate;
/// use squall::prelude::*;
///
/// // The second segment of the first connection arrives only by its third transmission, and its answer late.
/// let request = SegmentFate::new("client", "server", 80, 0, 1).lost([0, 1]);
/// let answer = SegmentFate::new("client", "server", 80, 0, 0).back().late(millis(40));
/// let fault = fault::segments("client", "server", [request, answer]).at_start();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentFate {
    /// The host that connected.
    pub from: String,
    /// The host that listens.
    pub to: String,
    /// The port on which it listens.
    pub port: u16,
    /// The ordinal of the connect from this host to this port, from 0.
    pub connect: u32,
    /// Whether the segment goes back, from the listening host to the one that connected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
    /// The ordinal of the segment among those of its sender on this connection, from 0.
    pub segment: u32,
    /// The transmissions that are lost, counted from 0; each is below 18.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<u32>,
    /// The delay beyond what the lost transmissions cause.
    #[serde(default, skip_serializing_if = "Duration::is_zero", with = "text_duration")]
    pub late: Duration,
    /// The bits that are flipped, counted from 0: bit n is bit n % 8, from the lowest, of byte n / 8. Bits beyond the
    /// end of the segment are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrupted: Vec<u32>,
}

impl SegmentFate {
    /// Segment `segment` (from 0), which the connecting host sends on connection `connect` (from 0) to this port.
    pub fn new(from: &str, to: &str, port: u16, connect: u32, segment: u32) -> SegmentFate {
        let (from, to) = (from.to_owned(), to.to_owned());
        let (lost, late, corrupted) = (Vec::new(), Duration::ZERO, Vec::new());
        SegmentFate { from, to, port, connect, back: false, segment, lost, late, corrupted }
    }

    /// The same, for a segment that the listening host sends back.
    pub fn back(mut self) -> SegmentFate {
        self.back = true;
        self
    }

    /// Loses these transmissions, as in the field `lost`.
    pub fn lost<const COUNT: usize>(mut self, transmissions: [u32; COUNT]) -> SegmentFate {
        self.lost = transmissions.to_vec();
        self
    }

    /// Delays the segment by this time.
    pub fn late(mut self, by: Duration) -> SegmentFate {
        self.late = by;
        self
    }

    /// Flips these bits, as in the field `corrupted`.
    pub fn corrupted<const COUNT: usize>(mut self, bits: [u32; COUNT]) -> SegmentFate {
        self.corrupted = bits.to_vec();
        self
    }

    /// Why it cannot be carried out, in one line; `None` if it can.
    pub(super) fn defect(&self) -> Option<String> {
        if let Some(lost) = self.lost.iter().find(|lost| **lost >= TRANSMISSIONS) {
            return Some(format!(
                "transmission {lost} cannot be lost: only the first {TRANSMISSIONS} can, counted from 0"
            ));
        }
        let is_unaffected = self.lost.is_empty() && self.late.is_zero() && self.corrupted.is_empty();
        is_unaffected.then(|| "a segment's fate needs `lost`, `late` or `corrupted`".to_owned())
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
