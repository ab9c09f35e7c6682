//! Limited bandwidth: when bytes that are handed to one direction of a link have left it. It knows nothing of segments.

use std::ops::Range;
use std::time::Duration;

/// What a segment carries beside its bytes: the headers of Ethernet (14), IPv4 (20) and TCP with time stamps (32).
const HEADERS: u64 = 66;

/// One direction of a link that passes so many bytes per second.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Queue {
    bytes_per_second: u64,
    limit_bytes: u64,
    /// When the link is busy: in order, apart from each other. A retransmission is decided long before its time, so that
    /// there may be gaps before it, which others fill.
    busy: Vec<Range<Duration>>,
}

impl Queue {
    pub(crate) fn new(bytes_per_second: u64, limit_bytes: u64) -> Queue {
        // A plan is refused if nothing would ever pass.
        Queue { bytes_per_second: bytes_per_second.max(1), limit_bytes, busy: Vec::new() }
    }

    /// Whether a segment with so many bytes finds the queue too full at this time.
    pub(super) fn is_full(&self, at: Duration, bytes: usize) -> bool {
        let Some(busy) = self.busy.iter().find(|busy| busy.start <= at && at < busy.end) else { return false };
        let waiting = (busy.end - at).as_nanos() * u128::from(self.bytes_per_second) / 1_000_000_000;
        waiting + u128::from(bytes as u64 + HEADERS) > u128::from(self.limit_bytes)
    }

    /// Takes a segment with so many bytes; returns how long after `at` it has left.
    pub(super) fn enqueue(&mut self, at: Duration, bytes: usize) -> Duration {
        let mut ends = at + self.takes(bytes);
        for busy in &self.busy {
            if at < busy.end && busy.start < ends {
                ends += busy.end - busy.start.max(at);
            }
        }
        // From `at` on the link is now busy until then: what touches this time becomes one with it.
        let first = self.busy.partition_point(|busy| busy.end < at);
        let behind = self.busy.partition_point(|busy| busy.start <= ends);
        let touched = &self.busy[first..behind];
        let start = touched.first().map_or(at, |busy| busy.start.min(at));
        let end = touched.last().map_or(ends, |busy| busy.end.max(ends));
        self.busy.splice(first..behind, [start..end]);
        ends - at
    }

    /// Forgets what was over before this time: nobody will ask for it again.
    pub(super) fn forget_before(&mut self, time: Duration) {
        self.busy.retain(|busy| busy.end >= time);
    }

    fn takes(&self, bytes: usize) -> Duration {
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
    fn bytes_leave_one_after_the_other_and_gaps_are_used() {
        // With 34 bytes, each segment takes a millisecond.
        let mut queue = Queue::new(100_000, 270);
        assert_eq!(queue.enqueue(ms(10), 34), ms(1), "an idle link costs its own time alone");
        assert_eq!(queue.enqueue(ms(10), 34), ms(2));
        assert_eq!(queue.enqueue(ms(100), 34), ms(1), "a retransmission that is decided early");
        assert!(!queue.is_full(ms(10), 0), "200 bytes are before it, and there is room for 270");
        assert!(queue.is_full(ms(11), 200));
        assert!(!queue.is_full(ms(50), 100_000), "nothing waits on an idle link");
        assert_eq!(queue.enqueue(ms(11), 34), ms(2), "what comes earlier does not wait for it");
        assert_eq!(queue.busy, [ms(10)..ms(13), ms(100)..ms(101)]);
        queue.forget_before(ms(50));
        assert_eq!(queue.enqueue(ms(98), 334), ms(5), "the retransmission comes between its first half and its second");
        assert_eq!(queue.busy, [ms(98)..ms(103)]);
    }
}
