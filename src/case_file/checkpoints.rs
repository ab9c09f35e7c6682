//! Checkpoints of a recorded run: short digests of all events up to certain ones. They show where a later run diverges
//! from this one without a copy of its events.

use std::hash::Hasher;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// The number of checkpoints of a run that has at least this many events.
const COUNT: usize = 64;
/// The number of hexadecimal digits of a checkpoint.
const DIGITS: usize = 6;

/// Digests (SipHash-1-3, cut to 24 bits) of all events up to evenly spaced ones, the last event among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints(Vec<u32>);

impl Checkpoints {
    /// The checkpoints of a run with these events, each as text.
    pub fn of<S: AsRef<str>>(events: &[S]) -> Checkpoints {
        Checkpoints(digests(events, events.len()))
    }

    /// Whether these can be the checkpoints of a run with this many events.
    pub fn fit(&self, events: usize) -> bool {
        self.0.len() == count(events)
    }

    /// The range of event indices in which a run with these `events` diverges from the run of `recorded` events that
    /// these checkpoints are from: all events before the range are the same, and some event in it is not. `None` if all
    /// checkpoints agree and there are no further events.
    pub fn divergence<S: AsRef<str>>(&self, recorded: usize, events: &[S]) -> Option<Range<usize>> {
        let own = digests(events, recorded);
        let place = |checkpoint: usize| position(checkpoint, self.0.len(), recorded);
        let differs = (0..self.0.len()).find(|index| self.0.get(*index) != own.get(*index));
        match differs {
            Some(index) => Some(if index == 0 { 0 } else { place(index - 1) }..place(index)),
            None => (events.len() > recorded).then_some(recorded..events.len()),
        }
    }
}

fn count(events: usize) -> usize {
    events.min(COUNT)
}

/// The number of events that the checkpoint with this index covers.
fn position(index: usize, checkpoints: usize, events: usize) -> usize {
    // This is computed in `u128` because a file may claim any number of events.
    ((index as u128 + 1) * events as u128 / checkpoints.max(1) as u128) as usize
}

/// The checkpoints that fall within `events`, spaced for a run of `recorded` events.
fn digests<S: AsRef<str>>(events: &[S], recorded: usize) -> Vec<u32> {
    let count = count(recorded);
    let mut hasher = SipHasher13::new();
    let mut digests = Vec::with_capacity(count);
    for (index, event) in events.iter().enumerate() {
        hasher.write(event.as_ref().as_bytes());
        hasher.write_u8(b'\n');
        while digests.len() < count && position(digests.len(), count, recorded) == index + 1 {
            digests.push((hasher.finish() & 0xff_ffff) as u32);
        }
    }
    digests
}

impl Serialize for Checkpoints {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.iter().map(|digest| format!("{digest:06x}")).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Checkpoints {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Checkpoints, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || {
            serde::de::Error::custom(format!("`{text}` is not a series of checkpoints of 6 hexadecimal digits each"))
        };
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || text.len() % DIGITS != 0 {
            return Err(wrong());
        }
        let digests = text.as_bytes().chunks(DIGITS).map(|digits| {
            let digits = str::from_utf8(digits).ok()?;
            u32::from_str_radix(digits, 16).ok()
        });
        digests.collect::<Option<Vec<u32>>>().map(Checkpoints).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("event {number}")).collect()
    }

    #[test]
    fn the_first_difference_is_within_the_range() {
        for count in [1, 5, 63, 64, 65, 1_000, 12_345] {
            let recorded = events(count);
            let checkpoints = Checkpoints::of(&recorded);
            assert!(checkpoints.fit(count) && !checkpoints.fit(count / 2) || count > 128);
            assert_eq!(checkpoints.divergence(count, &recorded), None, "{count}");
            for changed in [0, count / 3, count - 1] {
                let mut other = recorded.clone();
                other[changed].push('!');
                let range = checkpoints.divergence(count, &other).unwrap();
                assert!(range.contains(&changed), "{changed} of {count} is not in {range:?}");
                assert!(range.len() <= count / 64 + 1, "{range:?}");
            }
        }
    }

    #[test]
    fn a_longer_and_a_shorter_run_differ() {
        let checkpoints = Checkpoints::of(&events(100));
        assert_eq!(checkpoints.divergence(100, &events(103)), Some(100..103));
        assert!(checkpoints.divergence(100, &events(90)).unwrap().contains(&90));
        assert_eq!(Checkpoints::default().divergence(0, &events(2)), Some(0..2));
    }

    #[test]
    fn checkpoints_round_trip_through_json() {
        let checkpoints = Checkpoints::of(&events(3));
        let text = serde_json::to_string(&checkpoints).unwrap();
        assert_eq!(text.len(), 3 * 6 + 2);
        assert_eq!(serde_json::from_str::<Checkpoints>(&text).unwrap(), checkpoints);
        for bad in ["\"12345\"", "\"12345g\"", "\"+12345\"", "\"ä1234\"", "7"] {
            assert!(serde_json::from_str::<Checkpoints>(bad).is_err(), "{bad}");
        }
    }
}
