//! Limited bandwidth: when bytes that are handed to one direction of a link have left it.

use std::time::Duration;

/// The size of a segment's headers: Ethernet (14), IPv4 (20) and TCP with timestamps (32).
const HEADERS: u64 = 66;

/// One direction of a link with a limited bandwidth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Queue {
    bytes_per_second: u64,
    limit_bytes: u64,
    /// When everything enqueued so far has left.
    free_at: Duration,
}

impl Queue {
    pub(crate) fn new(bytes_per_second: u64, limit_bytes: u64) -> Queue {
        // A plan with zero bandwidth is rejected; the minimum only prevents a division by zero.
        Queue { bytes_per_second: bytes_per_second.max(1), limit_bytes, free_at: Duration::ZERO }
    }

    /// Whether the queue is too full at this time for a segment of this many bytes. An idle link takes any segment.
    pub(super) fn is_full(&self, at: Duration, bytes: usize) -> bool {
        if self.free_at <= at {
            return false;
        }
        let waiting = (self.free_at - at).as_nanos() * u128::from(self.bytes_per_second) / 1_000_000_000;
        waiting + u128::from(bytes as u64 + HEADERS) > u128::from(self.limit_bytes)
    }

    /// Enqueues a segment of this many bytes; returns how long after `at` it has left.
    pub(super) fn enqueue(&mut self, at: Duration, bytes: usize) -> Duration {
        self.free_at = self.free_at.max(at) + self.transmission_time(bytes);
        self.free_at - at
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
    fn segments_leave_one_after_another() {
        // With 34 bytes, each segment takes a millisecond.
        let mut queue = Queue::new(100_000, 270);
        assert_eq!(queue.enqueue(ms(10), 34), ms(1), "on an idle link a segment takes only its own time");
        assert_eq!(queue.enqueue(ms(10), 34), ms(2));
        assert!(!queue.is_full(ms(10), 0), "200 bytes are queued, and there is room for 270");
        assert!(queue.is_full(ms(11), 200));
        assert!(!queue.is_full(ms(50), 100_000), "nothing waits on an idle link");
        assert_eq!(queue.enqueue(ms(11), 34), ms(2));
        assert_eq!(queue.enqueue(ms(100), 334), ms(4));
    }
}
