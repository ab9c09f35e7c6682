//! Faults of machines that go on running: of their programs, their clocks, and the names that they look up. Each as a single
//! fault and as a generator that draws it. Of these, code on plain turmoil sockets meets mute programs and wrong clocks alone.

use std::time::Duration;

use super::{Fault, FaultGenerator, FaultKind, Selector};

impl Fault {
    /// The machines grant connections and take in bytes, and nothing that their programs send leaves before the end.
    pub fn output_stall(hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::OutputStall, hosts)
    }

    /// Programs that start meanwhile begin to listen later, by this time.
    pub fn slow_start(by: Duration, hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::SlowStart { by }, hosts)
    }

    /// Programs with so many requests in flight are killed, and restarted after a time.
    pub fn out_of_memory(in_flight: u32, restart_after: Duration, hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::OutOfMemory { in_flight, restart_after }, hosts)
    }

    /// The wall clocks are off by so many milliseconds; negative is in the past.
    pub fn clock_skew(by_ms: i64, hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::ClockSkew { by_ms }, hosts)
    }

    /// The wall clocks run faster by so many microseconds a second, or slower; at the end they are right again.
    pub fn clock_drift(parts_per_million: i64, hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::ClockDrift { parts_per_million }, hosts)
    }

    /// When hosts of the first side look up names of the second, they wait so long for an answer.
    pub fn dns_slow(by: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::DnsSlow { by }, from, to).one_way()
    }

    /// Names of the second side lead hosts of the first to an address at which nobody is.
    pub fn dns_blackhole(from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::DnsBlackhole, from, to).one_way()
    }

    /// Names of the second side are not known to hosts of the first.
    pub fn dns_not_found(from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::DnsNotFound, from, to).one_way()
    }
}

/// Machines that grant connections and take in bytes, and whose programs are not heard before the end of the fault.
pub fn output_stall(hosts: impl Into<Selector>) -> FaultGenerator {
    Fault::output_stall(hosts).into()
}

/// Programs that start during the fault begin to listen later, by this time.
pub fn slow_start(by: Duration, hosts: impl Into<Selector>) -> FaultGenerator {
    Fault::slow_start(by, hosts).into()
}

/// Programs that are killed when they have so many requests in flight, and restarted after a time.
pub fn out_of_memory(in_flight: u32, restart_after: Duration, hosts: impl Into<Selector>) -> FaultGenerator {
    Fault::out_of_memory(in_flight, restart_after, hosts).into()
}

/// Wall clocks that are off by so many milliseconds; negative is in the past.
pub fn clock_skew(by_ms: i64, hosts: impl Into<Selector>) -> FaultGenerator {
    Fault::clock_skew(by_ms, hosts).into()
}

/// Wall clocks that run faster by so many microseconds a second, or slower, and are set right at the end of the fault.
pub fn clock_drift(parts_per_million: i64, hosts: impl Into<Selector>) -> FaultGenerator {
    Fault::clock_drift(parts_per_million, hosts).into()
}

/// Names of the second side that hosts of the first find after this time.
pub fn dns_slow(by: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::dns_slow(by, from, to).into()
}

/// Names of the second side that lead hosts of the first to an address at which nobody is.
pub fn dns_blackhole(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::dns_blackhole(from, to).into()
}

/// Names of the second side that hosts of the first do not find.
pub fn dns_not_found(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultGenerator {
    Fault::dns_not_found(from, to).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, one, secs};

    #[test]
    fn faults_of_machines_read_as_they_are_written() {
        let check = |fault: Fault, expected: &str| {
            assert_eq!(fault.to_string(), format!("{expected} at 0s for 1s"));
            assert_eq!(fault.defect(), None);
            let text = serde_json::to_string(&fault).unwrap();
            assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
        };
        check(Fault::output_stall(one("api")), "output stall one of api");
        check(Fault::slow_start(millis(1_500), "a"), "slow start by 1.5s a");
        check(Fault::out_of_memory(8, secs(2), "a"), "out of memory at 8 requests in flight (restart after 2s) a");
        check(Fault::clock_skew(-3_600_000, "a"), "clock skew -3600s a");
        check(Fault::clock_skew(250, "a"), "clock skew +250ms a");
        check(Fault::clock_drift(500, "a"), "clock drift +500 ppm a");
        check(Fault::clock_drift(-40, "a"), "clock drift -40 ppm a");
        check(Fault::dns_slow(secs(3), "a", "b"), "dns slow by 3s a → b");
        check(Fault::dns_blackhole("a", "b"), "dns blackhole a → b");
        check(Fault::dns_not_found("a", "b"), "dns not found a → b");
    }

    #[test]
    fn wrong_clocks_of_both_signs_are_different_generators() {
        let name = |generator: FaultGenerator| crate::fault::Generator::from(generator).name().to_owned();
        assert_eq!(name(clock_skew(90_000, "a")), "clock skew +90s a");
        assert_eq!(name(clock_skew(-90_000, "a")), "clock skew -90s a");
        assert_eq!(name(clock_drift(-500, "a")), "clock drift -500 ppm a");
        assert_eq!(name(slow_start(secs(1), "a")), "slow start a");
    }

    #[test]
    fn machines_that_cannot_be_are_refused() {
        for (fault, expected) in [
            (
                Fault::out_of_memory(0, secs(1), "a"),
                "a program without memory for a single request in flight never runs",
            ),
            (Fault::clock_skew(0, "a"), "a clock skew of 0 ms is nothing, or more than 10^12 ms"),
            (
                Fault::clock_skew(i64::MIN, "a"),
                "a clock skew of -9223372036854775808 ms is nothing, or more than 10^12 ms",
            ),
            (Fault::clock_drift(0, "a"), "a clock drift of 0 ppm is nothing, or not less than a million"),
            (
                Fault::clock_drift(-1_000_000, "a"),
                "a clock drift of -1000000 ppm is nothing, or not less than a million",
            ),
            (
                Fault { target: Fault::kill("a").target, ..Fault::dns_blackhole("a", "b") },
                "dns blackhole needs a target of two sides (`links`)",
            ),
            (
                Fault { target: Fault::hold("a", "b").target, ..Fault::output_stall("a") },
                "output stall needs a target of hosts (`hosts`)",
            ),
        ] {
            assert_eq!(fault.defect().as_deref(), Some(expected));
        }
    }
}
