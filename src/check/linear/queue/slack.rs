//! Whether the dequeues with unknown outcomes suffice at every moment from a given one on.

/// For each moment: the number of unknown dequeues that were called by then, less the number of values that must be
/// gone by then.
///
/// A value that no dequeue returned must be gone by its deadline, and by the moment at which the queue must be empty if
/// it was enqueued before. These moments are visited in order, so each value is moved to an earlier moment only once. A
/// segment tree adds to ranges and finds the smallest sum of a range.
pub(super) struct Slack {
    moments: Vec<u64>,
    /// The smallest sum below each node of the tree.
    least: Vec<i64>,
    /// What is added to all sums below each node.
    added: Vec<i64>,
    /// The values that no dequeue returned: the return of the enqueue, and the place of the deadline, in this order.
    left: Vec<(u64, usize)>,
    /// How many of them have been moved to an earlier moment.
    moved: usize,
}

impl Slack {
    /// `untaken` has the return of the enqueue and the deadline of each value that no dequeue returned; `unknown` has
    /// the calls of the unknown dequeues.
    pub(super) fn new(untaken: impl Iterator<Item = (u64, Option<u64>)>, unknown: &[u64], moments: &[u64]) -> Slack {
        let place = |moment: u64| moments.partition_point(|other| *other < moment);
        let mut left: Vec<(u64, usize)> =
            untaken.map(|(ret, deadline)| (ret, deadline.map_or(moments.len(), place))).collect();
        left.sort_unstable();
        let size = moments.len().next_power_of_two();
        let mut slack =
            Slack { moments: moments.to_vec(), least: vec![0; size * 2], added: vec![0; size * 2], left, moved: 0 };
        unknown.iter().for_each(|call| slack.add(place(*call), moments.len(), 1));
        for number in 0..slack.left.len() {
            let deadline = slack.left[number].1;
            slack.add(deadline, moments.len(), -1);
        }
        slack
    }

    /// Whether all values that were enqueued before `moment` can be gone by then. Call it with moments in ascending
    /// order.
    pub(super) fn is_enough_at(&mut self, moment: u64) -> bool {
        while let Some((_, deadline)) = self.left.get(self.moved).copied().filter(|(ret, _)| *ret < moment) {
            // The value was due only at its deadline; now it is due at this moment.
            self.add(0, deadline, -1);
            self.moved += 1;
        }
        let from = self.moments.partition_point(|other| *other < moment);
        self.least_of(1, (0, self.size()), (from, self.moments.len())) >= 0
    }

    fn size(&self) -> usize {
        self.least.len() / 2
    }

    fn add(&mut self, from: usize, to: usize, number: i64) {
        self.add_below(1, (0, self.size()), (from, to), number);
    }

    fn add_below(&mut self, node: usize, (start, end): (usize, usize), (from, to): (usize, usize), number: i64) {
        if from >= end || to <= start {
            return;
        }
        if from <= start && end <= to {
            self.least[node] += number;
            self.added[node] += number;
            return;
        }
        let middle = usize::midpoint(start, end);
        self.add_below(node * 2, (start, middle), (from, to), number);
        self.add_below(node * 2 + 1, (middle, end), (from, to), number);
        self.least[node] = self.least[node * 2].min(self.least[node * 2 + 1]) + self.added[node];
    }

    fn least_of(&self, node: usize, (start, end): (usize, usize), (from, to): (usize, usize)) -> i64 {
        if from >= end || to <= start {
            return i64::MAX;
        }
        if from <= start && end <= to {
            return self.least[node];
        }
        let middle = usize::midpoint(start, end);
        let first = self.least_of(node * 2, (start, middle), (from, to));
        let second = self.least_of(node * 2 + 1, (middle, end), (from, to));
        // Saturates, as a range outside the query counts as `i64::MAX`.
        first.min(second).saturating_add(self.added[node])
    }
}
