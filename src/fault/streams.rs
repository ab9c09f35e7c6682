//! Faults of connections and of the bytes on them: for each kind a constructor and a generator. It knows nothing of how they
//! are carried out.

use std::time::Duration;

use super::{Fault, FaultGenerator, FaultKind, Selector};

impl Fault {
    /// Connections between the two sides are reset when `after_bytes` more bytes have been sent on them in one direction.
    pub fn reset(after_bytes: u64, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Reset { after_bytes }, from, to)
    }

    /// Connections between the two sides come to an end when `after_bytes` more bytes have been sent on them in one
    /// direction.
    pub fn close(after_bytes: u64, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Close { after_bytes }, from, to)
    }

    /// After `after_bytes` more bytes of a connection between the two sides, nothing passes in their direction until the
    /// end.
    pub fn stall(after_bytes: u64, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Stall { after_bytes }, from, to)
    }

    /// Of each connection between the two sides, `bytes` bytes arrive each `every`.
    pub fn trickle(bytes: u64, every: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Trickle { bytes, every }, from, to)
    }

    /// With probability `rate`, a segment with bytes between the two sides has one bit of one byte flipped.
    pub fn corrupt(rate: f64, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Corrupt { rate }, from, to)
    }

    /// Idle connections between the two sides are closed, at once and whenever one has been idle for `idle_for`. One way,
    /// it befalls only those that the first side opened.
    pub fn close_idle(idle_for: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::CloseIdle { idle_for }, from, to)
    }

    /// The second side forgets its connections with the first, which is not told.
    pub fn half_open(from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::HalfOpen, from, to).one_way()
    }

    /// Each read from a connection returns at most so many bytes.
    pub fn short_reads(hosts: impl Into<Selector>, at_most_bytes: u64) -> Fault {
        Fault::on_hosts(FaultKind::ShortReads { at_most_bytes }, hosts)
    }

    /// Each write to a connection accepts at most so many bytes.
    pub fn short_writes(hosts: impl Into<Selector>, at_most_bytes: u64) -> Fault {
        Fault::on_hosts(FaultKind::ShortWrites { at_most_bytes }, hosts)
    }

    /// Each connection to these hosts has room for so many bytes that are on the way or unread.
    pub fn small_window(hosts: impl Into<Selector>, bytes: u64) -> Fault {
        Fault::on_hosts(FaultKind::SmallWindow { bytes }, hosts)
    }
}

/// Connections between the two sides are reset when `after_bytes` more bytes have been sent on them in one direction.
pub fn reset(after_bytes: u64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::reset(after_bytes, from, to).into()
}

/// Connections between the two sides come to an end when `after_bytes` more bytes have been sent on them in one direction.
pub fn close(after_bytes: u64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::close(after_bytes, from, to).into()
}

/// After `after_bytes` more bytes of a connection between the two sides, nothing passes in their direction until the end.
pub fn stall(after_bytes: u64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::stall(after_bytes, from, to).into()
}

/// Of each connection between the two sides, `bytes` bytes arrive each `every`.
pub fn trickle(bytes: u64, every: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::trickle(bytes, every, from, to).into()
}

/// With probability `rate`, a segment with bytes between the two sides has one bit of one byte flipped.
pub fn corrupt(rate: f64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::corrupt(rate, from, to).into()
}

/// Idle connections between the two sides are closed, at once and whenever one has been idle for `idle_for`. One way, it
/// befalls only those that the first side opened.
pub fn close_idle(idle_for: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::close_idle(idle_for, from, to).into()
}

/// The second side forgets its connections with the first, which is not told.
pub fn half_open(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::half_open(from, to).into()
}

/// Each read of these hosts from a connection returns at most so many bytes.
pub fn short_reads(hosts: impl Into<Selector>, at_most_bytes: u64) -> FaultGenerator {
    Fault::short_reads(hosts, at_most_bytes).into()
}

/// Each write of these hosts to a connection accepts at most so many bytes.
pub fn short_writes(hosts: impl Into<Selector>, at_most_bytes: u64) -> FaultGenerator {
    Fault::short_writes(hosts, at_most_bytes).into()
}

/// Each connection to these hosts has room for so many bytes that are on the way or unread.
pub fn small_window(hosts: impl Into<Selector>, bytes: u64) -> FaultGenerator {
    Fault::small_window(hosts, bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};

    #[test]
    fn faults_of_streams_read_as_they_are_written() {
        let check = |fault: Fault, expected: &str| {
            assert_eq!(fault.to_string(), expected);
            assert_eq!(fault.defect(), None);
            let text = serde_json::to_string(&fault).unwrap();
            assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault, "{text}");
        };
        check(Fault::reset(0, "a", "b"), "reset after 0 B a ↔ b at 0s for 1s");
        check(Fault::close(1_000, "a", "b").one_way(), "close after 1 kB a → b at 0s for 1s");
        check(Fault::stall(120, "a", "b"), "stall after 120 B a ↔ b at 0s for 1s");
        check(Fault::trickle(10, millis(200), "a", "b"), "trickle 10 B each 200ms a ↔ b at 0s for 1s");
        check(Fault::corrupt(0.01, "a", "b"), "corrupt 1.0 % a ↔ b at 0s for 1s");
        check(Fault::close_idle(secs(5), "a", "b"), "close idle after 5s a ↔ b at 0s for 1s");
        check(Fault::half_open("a", "b"), "half-open a → b at 0s for 1s");
        check(Fault::short_reads("a", 1), "short reads of at most 1 B a at 0s for 1s");
        check(Fault::short_writes("a", 7), "short writes of at most 7 B a at 0s for 1s");
        check(Fault::small_window("a", 4_000), "small window of 4 kB a at 0s for 1s");
    }

    #[test]
    fn what_cannot_be_carried_out_is_said() {
        for (fault, expected) in [
            (Fault::corrupt(1.5, "a", "b"), "corrupt rate 1.5 is not between 0 and 1"),
            (
                Fault::trickle(0, secs(1), "a", "b"),
                "a trickle of nothing is a stall; at least 1 byte must arrive each time",
            ),
            (
                Fault::trickle(1, Duration::ZERO, "a", "b"),
                "a trickle needs some time from one arrival to the next (`every`)",
            ),
            (
                Fault::short_reads("a", 0),
                "a read of nothing would be the end of the stream; it returns at least 1 byte",
            ),
            (Fault::short_writes("a", 0), "a write must accept at least 1 byte"),
            (Fault::small_window("a", 0), "a window of nothing is a stall; there must be room for at least 1 byte"),
            (
                Fault { target: Fault::reset(1, "a", "b").target, ..Fault::short_reads("a", 1) },
                "short reads needs a target of hosts (`hosts`)",
            ),
            (
                Fault { target: Fault::kill("a").target, ..Fault::half_open("a", "b") },
                "half-open needs a target of two sides (`links`)",
            ),
        ] {
            assert_eq!(fault.defect().as_deref(), Some(expected));
        }
    }
}
