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

/// When a kernel gives up a segment first sent at `sent_at`, if `limit` is how long it may stay unacknowledged. Linux
/// counts from the first expiry of the timeout on, not from the segment or its probe (`retrans_stamp`).
pub(super) fn gives_up_at(sent_at: Duration, limit: Duration, timeout: Duration) -> Duration {
    sent_at + timeout * 2 + limit
}

/// The first transmission at or after `now` of a segment first sent at `sent_at`. The first retransmission is a tail loss
/// probe, which Linux sends after `timeout` at the latest, and which does not double the timeout (RFC 8985, section 7).
/// From then on each interval is twice the one before it (RFC 6298, section 5).
pub(super) fn next_attempt(sent_at: Duration, now: Duration, timeout: Duration) -> Duration {
    if sent_at >= now {
        return sent_at;
    }
    let (mut at, mut gap) = (sent_at + timeout, timeout);
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
    fn attempts_double_after_the_probe() {
        let ms = Duration::from_millis;
        let sent = ms(1_000);
        for (now, expected) in
            [(900, 1_000), (1_000, 1_000), (1_001, 1_250), (1_251, 1_500), (1_501, 2_000), (2_001, 3_000)]
        {
            assert_eq!(next_attempt(sent, ms(now), ms(250)), ms(expected), "at {now} ms");
        }
    }

    #[test]
    fn a_kernel_gives_up_at_the_first_timeout_after_its_limit() {
        let attempts = |limit: Duration| {
            let (mut at, mut count) = (Duration::ZERO, 0);
            while at < gives_up_at(Duration::ZERO, limit, RETRANSMIT_AFTER) {
                count += 1;
                at = next_attempt(Duration::ZERO, at + Duration::from_nanos(1), RETRANSMIT_AFTER);
            }
            (at, count)
        };
        assert_eq!(attempts(GIVES_UP_AFTER), (Duration::from_millis(1_044_800), crate::fault::TRANSMISSIONS));
        assert_eq!(attempts(FORGOTTEN_AFTER), (Duration::from_millis(204_800), 11));
    }
}
