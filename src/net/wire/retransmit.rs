//! The times at which a kernel retransmits a lost segment, and when it gives up.

use std::time::Duration;

/// The time that Linux adds to the round trip before it retransmits (`TCP_RTO_MIN`).
pub(super) const RETRANSMIT_AFTER: Duration = Duration::from_millis(200);
/// The longest retransmission timeout (`TCP_RTO_MAX`).
const RETRANSMIT_CAP: Duration = Duration::from_secs(120);
/// How long Linux retransmits a segment before the connection fails: 15 timeouts (`tcp_retries2`) that begin with
/// `TCP_RTO_MIN` and double up to `TCP_RTO_MAX`, whatever the connection's own timeout is (`tcp_model_timeout`).
pub(super) const GIVES_UP_AFTER: Duration = Duration::from_millis(924_600);
/// The same for a connection that its program has closed: 8 timeouts (`tcp_orphan_retries`).
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_millis(102_200);

/// The first transmission at or after `now` of a segment first sent at `sent_at`. The first retransmission follows
/// after `timeout`, and each interval is twice the one before it (RFC 6298, section 5).
pub(super) fn next_attempt(sent_at: Duration, now: Duration, timeout: Duration) -> Duration {
    let (mut at, mut gap) = (sent_at, timeout);
    while at < now {
        at += gap;
        gap = (gap * 2).min(RETRANSMIT_CAP);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_double_from_the_first_transmission() {
        let ms = Duration::from_millis;
        let sent = ms(1_000);
        for (now, expected) in [(900, 1_000), (1_000, 1_000), (1_001, 1_250), (1_251, 1_750), (1_751, 2_750)] {
            assert_eq!(next_attempt(sent, ms(now), ms(250)), ms(expected), "at {now} ms");
        }
    }

    #[test]
    fn a_kernel_gives_up_after_sixteen_transmissions() {
        let attempts = |limit: Duration| {
            let (mut at, mut count) = (Duration::ZERO, 0);
            while at < limit {
                count += 1;
                at = next_attempt(Duration::ZERO, at + Duration::from_nanos(1), RETRANSMIT_AFTER);
            }
            (at, count)
        };
        assert_eq!(attempts(GIVES_UP_AFTER), (GIVES_UP_AFTER, crate::fault::TRANSMISSIONS));
        assert_eq!(attempts(FORGOTTEN_AFTER), (FORGOTTEN_AFTER, 9));
    }
}
