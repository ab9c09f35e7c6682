//! A part of the work of a command.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::explore::SeedRange;

/// The most shards of a work.
const MOST: u32 = 100_000;

/// One of several equal parts of the work of a command: `3/8` is the third of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Shard {
    /// Its number, from 1.
    pub(super) index: u32,
    /// How many there are.
    pub(crate) of: u32,
}

impl Shard {
    /// All shards of a work that is split into so many.
    pub(super) fn all(of: u32) -> impl Iterator<Item = Shard> {
        (1..=of).map(move |index| Shard { index, of })
    }

    /// Whether it is the first one, which does what is to be done once.
    pub(crate) fn is_first(self) -> bool {
        self.index == 1
    }

    /// Its part of these seeds, which is one piece; `None` if there are fewer seeds than shards and none is left for it.
    pub(crate) fn part_of(self, seeds: SeedRange) -> Option<SeedRange> {
        let at = |index: u32| {
            let before = u128::from(seeds.count()) * u128::from(index) / u128::from(self.of);
            seeds.first().0 + before as u64
        };
        SeedRange::try_from(at(self.index - 1)..at(self.index)).ok()
    }

    /// Which of the things that stand in a row are its own: one of every so many.
    pub(crate) fn takes(self, place: usize) -> bool {
        place as u64 % u64::from(self.of) == u64::from(self.index - 1)
    }

    /// Its place from 0, and how many there are.
    pub(crate) fn place(self) -> (usize, usize) {
        (self.index as usize - 1, self.of as usize)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        let is_right = |shard: &Shard| shard.of <= MOST && (1..=shard.of).contains(&shard.index);
        let shard = parts.map(|(index, of)| Shard { index, of }).filter(is_right);
        shard.ok_or_else(|| {
            format!(
                "`{text}` is no part of a whole: expected I/N with I from 1 to N and N up to {MOST}, for example 3/8"
            )
        })
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Shard, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_part_of_a_whole() {
        for (text, is_right) in
            [("1/1", true), ("3/8", true), ("8/8", true), ("0/8", false), ("9/8", false), ("1/100001", false)]
        {
            assert_eq!(text.parse::<Shard>().is_ok(), is_right, "{text}");
        }
        for text in ["", "3", "/", "3/", "1/0", "-1/2", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn shards_cover_all_seeds_once() {
        let check = |seeds: &str, of: u32| {
            let seeds: SeedRange = seeds.parse().unwrap();
            let parts: Vec<SeedRange> = Shard::all(of).filter_map(|shard| shard.part_of(seeds)).collect();
            let all: Vec<_> = parts.iter().flat_map(|part| part.iter()).collect();
            assert_eq!(all, seeds.iter().collect::<Vec<_>>(), "{seeds} in {of}");
            let sizes = || parts.iter().map(|part| part.count());
            assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1, "{seeds} in {of}");
        };
        check("0..64", 1);
        check("0..64", 7);
        check("5..9", 4);
        check("5..9", 9);
        check("0xfffffffffffffff0..0xffffffffffffffff", 4);
    }

    #[test]
    fn shards_take_each_thing_once() {
        for place in 0..20 {
            assert_eq!(Shard::all(3).filter(|shard| shard.takes(place)).count(), 1, "{place}");
        }
    }
}
