//! How long operations and exchanges took, as numbers of times that are rounded to three digits, so that those of many runs
//! stay small.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::run::Run;

/// What took a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyKind {
    /// An operation of a client, by its name.
    Operation,
    /// An HTTP exchange, by the host that it asks.
    Exchange,
}

/// The times of operations of one name, or of exchanges with one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyGroup {
    /// What took these times.
    pub kind: LatencyKind,
    /// The name of the operation or of the host.
    pub name: String,
    /// The times of those that were answered, in microseconds and in order, each with how many there are.
    pub took: Vec<(u64, u64)>,
    /// The number of the others: refused, failed, or never ended.
    pub other: u64,
}

/// The times of a run, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    /// The groups, in order of their kinds and names.
    pub groups: Vec<LatencyGroup>,
}

/// The times of a group while they are counted.
#[derive(Default)]
struct Counted {
    took: BTreeMap<u64, u64>,
    other: u64,
}

impl Latencies {
    /// The times of a run. Exchanges are there if the scenario has them read off the wire.
    pub(crate) fn of(run: &Run) -> Latencies {
        let mut groups: BTreeMap<(LatencyKind, &str), Counted> = BTreeMap::new();
        let mut note = |kind, name, took: Option<Duration>| {
            let counted = groups.entry((kind, name)).or_default();
            match took {
                Some(took) => *counted.took.entry(rounded(took)).or_default() += 1,
                None => counted.other += 1,
            }
        };
        for operation in &run.history.operations {
            let ended = operation.completed.as_ref().filter(|_| operation.is_ok());
            let took = ended.map(|(at, _)| at.saturating_sub(operation.invoked_at));
            note(LatencyKind::Operation, operation.name.as_str(), took);
        }
        for exchange in &run.trace.observed().exchanges {
            let ended = exchange.ended_at.filter(|_| exchange.is_answered());
            let took = ended.map(|at| at.saturating_sub(exchange.request.first_sent));
            note(LatencyKind::Exchange, run.trace.name(exchange.server()), took);
        }
        let groups = groups.into_iter().map(|((kind, name), Counted { took, other })| LatencyGroup {
            kind,
            name: name.to_owned(),
            took: took.into_iter().collect(),
            other,
        });
        Latencies { groups: groups.collect() }
    }

    /// Adds the times of other runs.
    pub(crate) fn add(&mut self, other: &Latencies) {
        for group in &other.groups {
            let place = self.groups.binary_search_by_key(&(group.kind, &group.name), |known| (known.kind, &known.name));
            match place {
                Ok(place) => self.groups[place].add(group),
                Err(place) => self.groups.insert(place, group.clone()),
            }
        }
    }
}

impl LatencyGroup {
    fn add(&mut self, other: &LatencyGroup) {
        self.other += other.other;
        let mut took: BTreeMap<u64, u64> = self.took.drain(..).collect();
        for (time, count) in &other.took {
            *took.entry(*time).or_default() += count;
        }
        self.took = took.into_iter().collect();
    }
}

/// A time in microseconds, of which the first three digits are kept.
fn rounded(time: Duration) -> u64 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let unit = 10_u64.pow(micros.checked_ilog10().unwrap_or_default().saturating_sub(2));
    micros / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_three_digits() {
        let check =
            |micros: u64, expected: u64| assert_eq!(rounded(Duration::from_micros(micros)), expected, "{micros}");
        check(0, 0);
        check(7, 7);
        check(999, 999);
        check(1_234, 1_230);
        check(1_239_999, 1_230_000);
    }

    #[test]
    fn the_times_of_runs_add_up_in_any_order() {
        let group = |name: &str, took: &[(u64, u64)], other| LatencyGroup {
            kind: LatencyKind::Operation,
            name: name.to_owned(),
            took: took.to_vec(),
            other,
        };
        let of = |groups: &[LatencyGroup]| Latencies { groups: groups.to_vec() };
        let (one, two) = (
            of(&[group("get", &[(5, 1), (9, 2)], 1)]),
            of(&[group("get", &[(7, 1), (9, 1)], 0), group("ask", &[], 1)]),
        );
        let sum = |parts: [&Latencies; 2]| {
            let mut sum = Latencies::default();
            parts.into_iter().for_each(|part| sum.add(part));
            sum
        };
        let expected = of(&[group("ask", &[], 1), group("get", &[(5, 1), (7, 1), (9, 3)], 1)]);
        assert_eq!((sum([&one, &two]), sum([&two, &one])), (expected.clone(), expected));
    }
}
