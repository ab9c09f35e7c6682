//! Limited bandwidth: when bytes that are handed to one direction of a link have left it.

use std::ops::Range;
use std::time::Duration;

/// The size of a segment's headers: Ethernet (14), IPv4 (20) and TCP with timestamps (32).
const HEADERS: u64 = 66;

/// One direction of a link with a limited bandwidth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Queue {
    bytes_per_second: u64,
    limit_bytes: u64,
    /// When the link is busy, as sorted, disjoint spans. A retransmission is decided long before its time, so there may
    /// be gaps before it, which other segments fill.
    busy: Vec<Range<Duration>>,
}

impl Queue {
    pub(crate) fn new(bytes_per_second: u64, limit_bytes: u64) -> Queue {
        // A plan with zero bandwidth is rejected; the minimum only prevents a division by zero.
        Queue { bytes_per_second: bytes_per_second.max(1), limit_bytes, busy: Vec::new() }
    }

    /// Whether the queue is too full at this time for a segment of this many bytes.
    pub(super) fn is_full(&self, at: Duration, bytes: usize) -> bool {
        let Some(busy) = self.busy.iter().find(|busy| busy.start <= at && at < busy.end) else { return false };
        let waiting = (busy.end - at).as_nanos() * u128::from(self.bytes_per_second) / 1_000_000_000;
        waiting + u128::from(bytes as u64 + HEADERS) > u128::from(self.limit_bytes)
    }

    /// Enqueues a segment of this many bytes; returns how long after `at` it has left.
    pub(super) fn enqueue(&mut self, at: Duration, bytes: usize) -> Duration {
        let mut ends = at + self.transmission_time(bytes);
        for busy in &self.busy {
            if at < busy.end && busy.start < ends {
                ends += busy.end - busy.start.max(at);
            }
        }
        // The link is now busy from `at` to `ends`: spans that touch this one are merged with it.
        let first = self.busy.partition_point(|busy| busy.end < at);
        let behind = self.busy.partition_point(|busy| busy.start <= ends);
        let touched = &self.busy[first..behind];
        let start = touched.first().map_or(at, |busy| busy.start.min(at));
        let end = touched.last().map_or(ends, |busy| busy.end.max(ends));
        self.busy.splice(first..behind, [start..end]);
        ends - at
    }

    /// Forgets the spans that ended before this time, which is never queried again.
    pub(super) fn forget_before(&mut self, time: Duration) {
        self.busy.retain(|busy| busy.end >= time);
    }

    fn transmission_time(&self, bytes: usize) -> Duration {
        let nanos = u128::from(bytes as u64 + HEADERS) * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(nanos as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn segments_leave_one_after_another_and_fill_gaps() {
        // With 34 bytes, each segment takes a millisecond.
        let mut queue = Queue::new(100_000, 270);
        assert_eq!(queue.enqueue(ms(10), 34), ms(1), "on an idle link a segment takes only its own time");
        assert_eq!(queue.enqueue(ms(10), 34), ms(2));
        assert_eq!(queue.enqueue(ms(100), 34), ms(1), "a retransmission, which is decided early");
        assert!(!queue.is_full(ms(10), 0), "200 bytes are queued, and there is room for 270");
        assert!(queue.is_full(ms(11), 200));
        assert!(!queue.is_full(ms(50), 100_000), "nothing waits on an idle link");
        assert_eq!(queue.enqueue(ms(11), 34), ms(2), "an earlier segment does not wait for the retransmission");
        assert_eq!(queue.busy, [ms(10)..ms(13), ms(100)..ms(101)]);
        queue.forget_before(ms(50));
        assert_eq!(queue.enqueue(ms(98), 334), ms(5), "the retransmission leaves between its halves");
        assert_eq!(queue.busy, [ms(98)..ms(103)]);
    }
}
