//! How many dequeues with unknown outcomes are left over, at every moment from a given one on. It judges nothing.

/// For each moment: the unknown dequeues that were called by then, less the values that must be gone by then.
///
/// A value that nobody took for certain must be gone by its deadline, and by the moment at which the queue is to be empty
/// if it was in before. The moments of emptiness are gone through in order, so each value is moved forward once; a
/// segment tree adds to ranges and knows the smallest sum of a range.
pub(super) struct Slack {
    moments: Vec<u64>,
    /// The smallest sum below each node of the tree, and what is to be added to all of it.
    least: Vec<i64>,
    added: Vec<i64>,
    /// Values that nobody took for certain by the return of their enqueues, and the place of their deadline.
    left: Vec<(u64, usize)>,
    /// How many of them are moved forward.
    moved: usize,
}

impl Slack {
    /// `untaken` gives the return of the enqueue and the deadline of each value that nobody took for certain; `unknown`
    /// are the calls of the unknown dequeues.
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

    /// Whether everything that is in before `moment` can be gone by then. Moments must not decrease.
    pub(super) fn is_enough_at(&mut self, moment: u64) -> bool {
        while let Some((_, deadline)) = self.left.get(self.moved).copied().filter(|(ret, _)| *ret < moment) {
            // Until its deadline it was not asked for; from the moment on, it is.
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
        // Nothing is added to a range that is not asked for.
        first.min(second).saturating_add(self.added[node])
    }
}
