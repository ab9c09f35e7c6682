//! Percentiles of how long operations and exchanges took.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::explore::{Latencies, LatencyGroup, LatencyKind};

/// The percentiles that are shown, as shares.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// How many bars a power of ten has.
const BARS: f64 = 10.0;

/// The times of a group. All are in microseconds.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct LatencyRow<'a> {
    kind: &'static str,
    name: &'a str,
    /// The number of those that were answered.
    count: u64,
    other: u64,
    least: u64,
    /// Median, p90, p99, p99.9 and the longest time.
    quantiles: [u64; 5],
    /// The numbers of times by the beginning of the bar that they belong to; a power of ten has ten bars.
    bars: Vec<(u64, u64)>,
}

/// The times of all groups that have any, operations first.
pub(super) fn rows(latencies: &Latencies) -> Vec<LatencyRow<'_>> {
    latencies.groups.iter().filter_map(row).collect()
}

/// The times of a group; `None` if they are more than can be counted.
fn row(group: &LatencyGroup) -> Option<LatencyRow<'_>> {
    let mut histogram = Histogram::<u64>::new(3).ok()?;
    let mut bars: BTreeMap<u64, u64> = BTreeMap::new();
    for (time, count) in &group.took {
        histogram.record_n(*time, *count).ok()?;
        let bar = ((*time).max(1) as f64).log10() * BARS;
        let begins = 10_f64.powf(bar.floor() / BARS).round() as u64;
        *bars.entry(begins).or_default() += count;
    }
    let most = group.took.last().map_or(0, |(time, _)| *time);
    let [median, p90, p99, p999] = QUANTILES.map(|quantile| histogram.value_at_quantile(quantile).min(most));
    Some(LatencyRow {
        kind: match group.kind {
            LatencyKind::Operation => "operation",
            LatencyKind::Exchange => "exchange with",
        },
        name: &group.name,
        count: histogram.len(),
        other: group.other,
        least: group.took.first().map_or(0, |(time, _)| *time),
        quantiles: [median, p90, p99, p999, most],
        bars: bars.into_iter().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_all_times() {
        let took: Vec<(u64, u64)> = (1..=100).map(|step| (step * 1_000, 1)).chain([(5_000_000, 1)]).collect();
        let group = LatencyGroup { kind: LatencyKind::Operation, name: "get".to_owned(), took, other: 3 };
        let row = row(&group).unwrap();
        assert_eq!((row.count, row.other, row.least), (101, 3, 1_000));
        let near = |place: usize, expected: u64| {
            let found = row.quantiles[place];
            assert!(found.abs_diff(expected) * 500 <= expected, "{found} is not about {expected}");
        };
        near(0, 51_000);
        near(1, 91_000);
        near(2, 100_000);
        near(3, 5_000_000);
        assert_eq!(row.quantiles[4], 5_000_000);
        assert_eq!(row.bars.iter().map(|(_, count)| count).sum::<u64>(), 101);
        assert!(row.bars.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn what_was_never_answered_has_no_times() {
        let group = LatencyGroup { kind: LatencyKind::Exchange, name: "b".to_owned(), took: Vec::new(), other: 1 };
        let row = row(&group).unwrap();
        assert_eq!((row.count, row.quantiles, row.bars.len()), (0, [0; 5], 0));
    }
}
