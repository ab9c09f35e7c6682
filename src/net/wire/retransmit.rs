//! The times at which a kernel retransmits a lost segment.

use std::time::Duration;

/// The time that Linux adds to the round trip before it retransmits (`TCP_RTO_MIN`).
pub(super) const RETRANSMIT_AFTER: Duration = Duration::from_millis(200);
/// The longest retransmission timeout (`TCP_RTO_MAX`).
const RETRANSMIT_CAP: Duration = Duration::from_secs(120);

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
}
