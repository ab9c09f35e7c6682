//! Ranges of seeds, and the text in which they are written.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::seed::Seed;

/// One or more seeds in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedRange {
    first: u64,
    last: u64,
}

/// Why a text is not a range of seeds, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedRangeError {
    /// One of its ends is not a seed.
    #[error(transparent)]
    Seed(#[from] crate::seed::ParseSeedError),
    /// It holds no seed.
    #[error("the range of seeds `{0}` is empty: its end must be greater than its start")]
    Empty(String),
}

impl SeedRange {
    /// The first `count` seeds, from 0 on; `None` if `count` is 0.
    pub fn count_of(count: u64) -> Option<SeedRange> {
        count.checked_sub(1).map(|last| SeedRange { first: 0, last })
    }

    /// One seed.
    pub fn only(seed: Seed) -> SeedRange {
        SeedRange { first: seed.0, last: seed.0 }
    }

    /// All seeds from 0 on.
    pub fn endless() -> SeedRange {
        SeedRange { first: 0, last: u64::MAX }
    }

    /// The first seed.
    pub fn first(self) -> Seed {
        Seed(self.first)
    }

    /// The number of seeds; `u64::MAX` for the range of all seeds, which is one too few.
    pub fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// The seeds, in order.
    pub fn iter(self) -> impl Iterator<Item = Seed> {
        (self.first..=self.last).map(Seed)
    }

    /// Reads a number of seeds, which start at 0, or a range such as `0x10..0x20`.
    ///
    /// # Errors
    /// If the text is neither, or the range is empty.
    pub fn from_count_or_range(text: &str) -> Result<SeedRange, SeedRangeError> {
        if text.contains("..") {
            return text.parse();
        }
        SeedRange::count_of(text.parse::<Seed>()?.0).ok_or_else(|| SeedRangeError::Empty(text.to_owned()))
    }
}

impl FromStr for SeedRange {
    type Err = SeedRangeError;

    /// Reads a single seed or a half-open range: `7`, `0x10..0x20`, `5..9`.
    fn from_str(text: &str) -> Result<SeedRange, SeedRangeError> {
        let Some((start, end)) = text.split_once("..") else {
            return Ok(SeedRange::only(text.parse()?));
        };
        let (first, end): (Seed, Seed) = (start.trim().parse()?, end.trim().parse()?);
        SeedRange::try_from(first.0..end.0).map_err(|_| SeedRangeError::Empty(text.to_owned()))
    }
}

impl TryFrom<Range<u64>> for SeedRange {
    type Error = SeedRangeError;

    fn try_from(range: Range<u64>) -> Result<SeedRange, SeedRangeError> {
        match range.end.checked_sub(1) {
            Some(last) if last >= range.start => Ok(SeedRange { first: range.start, last }),
            _ => Err(SeedRangeError::Empty(format!("{}..{}", Seed(range.start), Seed(range.end)))),
        }
    }
}

impl fmt::Display for SeedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last.checked_add(1) {
            Some(end) => write!(f, "{}..{}", Seed(self.first), Seed(end)),
            None => write!(f, "{}..={}", Seed(self.first), Seed(self.last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_seeds_and_ranges() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(text.parse::<SeedRange>().ok().map(|range| range.to_string()).as_deref(), expected, "{text}");
        };
        check("7", Some("0x7..0x8"));
        check("0x10..0x20", Some("0x10..0x20"));
        check("5..9", Some("0x5..0x9"));
        check("0xffffffffffffffff", Some("0xffffffffffffffff..=0xffffffffffffffff"));
        for bad in ["", "..", "5..", "..9", "9..5", "5..5", "0..=5", "a..b", "-1..3"] {
            check(bad, None);
        }
        assert_eq!(SeedRange::from_count_or_range("0x40"), "0..64".parse());
        assert!(SeedRange::from_count_or_range("0").is_err());
    }
}
