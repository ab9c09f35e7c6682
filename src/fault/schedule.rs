//! The schedule of a generator's faults: how often, how long and how many.

use std::ops::Range;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Topology, millis, secs};

/// How often faults happen, and how long each lasts.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) every: Range<Duration>,
    pub(super) lasting: Range<Duration>,
    pub(super) at_most: usize,
}

impl Default for Schedule {
    fn default() -> Schedule {
        Schedule { every: secs(5)..secs(15), lasting: millis(500)..secs(3), at_most: usize::MAX }
    }
}

/// When one fault happens, and what its free choices depend on.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    pub(super) at: Duration,
    pub(super) lasting: Duration,
    /// The numbers that decide which hosts the two sides of a target select.
    pub(super) picks: [u64; 2],
}

/// The most faults that a generator draws for one run.
const MAX_FAULTS: usize = 10_000;

impl Schedule {
    /// The strategy over the occurrences in a run on this topology. All begin and end within [`Topology::run_for`].
    pub(super) fn occurrences(&self, topology: &Topology) -> BoxedStrategy<Vec<Occurrence>> {
        let (run_for, intensity) = (topology.run_for, topology.intensity);
        let every = intensity.shorten(self.every.start)..intensity.shorten(self.every.end);
        let shortest = every.start + self.lasting.start.min(run_for);
        // With gaps and lengths of zero the number of faults would have no bound.
        let shortest = if shortest.is_zero() { millis(100) } else { shortest.max(millis(1)) };
        let fits = run_for.as_millis() / shortest.as_millis() + 1;
        let count = usize::try_from(fits).unwrap_or(usize::MAX).min(self.at_most).min(MAX_FAULTS);
        let draws = (uniform(&every), uniform(&self.lasting), any::<u64>(), any::<u64>());
        let spread = move |draws: Vec<(Duration, Duration, u64, u64)>| {
            let mut occurrences = Vec::new();
            let mut from = Duration::ZERO;
            for (gap, lasting, pick, pick_to) in draws {
                let at = from + gap;
                if at >= run_for {
                    break;
                }
                let lasting = lasting.min(run_for - at);
                occurrences.push(Occurrence { at, lasting, picks: [pick, pick_to] });
                from = at + lasting;
            }
            occurrences
        };
        vec(draws, count..=count).prop_map(spread).boxed()
    }
}

/// Whole milliseconds, drawn uniformly from the range; always the start if the range is empty.
pub(super) fn uniform(range: &Range<Duration>) -> BoxedStrategy<Duration> {
    let (start, end) = (range.start, range.end);
    if end <= start {
        return Just(start).boxed();
    }
    let (start, end) = (start.as_millis() as u64, (end.as_millis() as u64).max(start.as_millis() as u64 + 1));
    (start..end).prop_map(Duration::from_millis).boxed()
}

/// Defines the setters of a generator with a `schedule`.
macro_rules! scheduled {
    ($generator:ident) => {
        impl $generator {
            /// The time from the start of the run to the first fault, and from the end of each fault to the next.
            pub fn every(mut self, range: Range<Duration>) -> $generator {
                self.schedule.every = range;
                self
            }

            /// How long each fault lasts.
            pub fn lasting(mut self, range: Range<Duration>) -> $generator {
                self.schedule.lasting = range;
                self
            }

            /// One fault in each run, which begins within `range`.
            pub fn once(mut self, range: Range<Duration>) -> $generator {
                self.schedule.every = range;
                self.schedule.at_most = 1;
                self
            }

            /// One fault in each run, which lasts from the start until faults are over.
            pub fn throughout(mut self) -> $generator {
                self.schedule.every = Duration::ZERO..Duration::ZERO;
                self.schedule.lasting = Duration::MAX..Duration::MAX;
                self.schedule.at_most = 1;
                self
            }

            /// The generator under another name, for example to distinguish two generators that would share one.
            pub fn named(self, name: &str) -> Generator {
                Generator::from(self).named(name)
            }

            /// At most this many faults in each run.
            pub fn at_most(mut self, count: usize) -> $generator {
                self.schedule.at_most = count;
                self
            }
        }
    };
}

pub(super) use scheduled;
