//! Single faults, written by hand: one constructor for each kind. For sources, which draw faults, see their functions.

use std::ops::Range;
use std::time::Duration;

use super::{Fault, FaultKind, SegmentFate, Selector, Target, Trigger, secs};

impl Fault {
    /// It begins with the run and lasts a second, unless something else is said.
    fn by_hand(kind: FaultKind, target: Target) -> Fault {
        Fault { trigger: Trigger::At(Duration::ZERO), kind, target, lasting: secs(1), source: "by hand".to_owned() }
    }

    pub(super) fn on_hosts(kind: FaultKind, hosts: impl Into<Selector>) -> Fault {
        Fault::by_hand(kind, Target::Hosts(hosts.into()))
    }

    pub(super) fn on_links(kind: FaultKind, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::by_hand(kind, Target::Links { from: from.into(), to: to.into() })
    }

    /// The processes die at once and are restarted at the end.
    pub fn kill(hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::Kill, hosts)
    }

    /// The machines lose power, and unsynced data with it, and are powered on at the end.
    pub fn power_off(hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::PowerOff, hosts)
    }

    /// The programs are asked to stop, killed after `grace`, and restarted at the end.
    pub fn stop(hosts: impl Into<Selector>, grace: Duration) -> Fault {
        Fault::on_hosts(FaultKind::Stop { grace }, hosts)
    }

    /// No segment passes between the two sides, either way.
    pub fn partition(from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Partition, from, to)
    }

    /// No segment passes from the first side to the second.
    pub fn partition_one_way(from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::PartitionOneWay, from, to)
    }

    /// Segments between the two sides wait until the end, then arrive all at once.
    pub fn hold(from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Hold, from, to)
    }

    /// Segments between the two sides are lost with probability `rate` per transmission.
    pub fn loss(rate: f64, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Loss { rate }, from, to)
    }

    /// Segments between the two sides are lost in runs: in bursts of mean length `burst`, which come a mean time of `gap`
    /// apart, a transmission is lost with probability `rate`.
    pub fn burst_loss(
        gap: Duration,
        burst: Duration,
        rate: f64,
        from: impl Into<Selector>,
        to: impl Into<Selector>,
    ) -> Fault {
        Fault::on_links(FaultKind::BurstLoss { gap, burst, rate }, from, to)
    }

    /// Segments between the two sides take longer by a time drawn from `extra`, its end included.
    pub fn latency(extra: Range<Duration>, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Latency { at_least: extra.start, at_most: extra.end }, from, to)
    }

    /// Segments between the two sides take longer by a time that rises to `peak` and falls again.
    pub fn latency_wave(peak: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::LatencyWave { peak }, from, to)
    }

    /// Each direction between two hosts carries `bytes_per_second`, and up to `queue_bytes` wait.
    pub fn bandwidth(
        bytes_per_second: u64,
        queue_bytes: u64,
        from: impl Into<Selector>,
        to: impl Into<Selector>,
    ) -> Fault {
        Fault::on_links(FaultKind::Bandwidth { bytes_per_second, queue_bytes }, from, to)
    }

    /// No segment passes between the two sides, and each sender is answered with a reset.
    pub fn reject(from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::Reject, from, to)
    }

    /// No segment passes between these hosts and any other, either way.
    pub fn isolate(hosts: impl Into<Selector>) -> Fault {
        Fault::partition(hosts, Selector::All)
    }

    /// These very segments between the two sides are lost or late.
    pub fn segments<const COUNT: usize>(
        from: impl Into<Selector>,
        to: impl Into<Selector>,
        fates: [SegmentFate; COUNT],
    ) -> Fault {
        Fault::on_links(FaultKind::Segments { fates: fates.to_vec() }, from, to)
    }

    /// When it begins, in virtual time since the start of the run.
    pub fn at(mut self, begins: Duration) -> Fault {
        self.trigger = Trigger::At(begins);
        self
    }

    /// Only what goes from the first side to the second is befallen. A fault of hosts stays as it is.
    pub fn one_way(mut self) -> Fault {
        self.target = self.target.one_way();
        self
    }

    /// How long it lasts.
    pub fn lasting(mut self, lasting: Duration) -> Fault {
        self.lasting = lasting;
        self
    }
}

/// Exactly the hosts with these names.
impl<const COUNT: usize> From<[&str; COUNT]> for Selector {
    fn from(names: [&str; COUNT]) -> Selector {
        Selector::Names(names.map(str::to_owned).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, one};

    #[test]
    fn faults_read_as_they_are_written() {
        let check = |fault: Fault, expected: &str| {
            assert_eq!(fault.to_string(), expected);
            assert_eq!(fault.defect(), None);
        };
        let (at, lasting) = (millis(3_127), millis(895));
        check(Fault::kill("store").at(at).lasting(lasting), "kill store at 3.127s for 895ms");
        check(Fault::power_off(["a", "b"]), "power off a, b at 0s for 1s");
        check(Fault::stop(one("api"), secs(8)).at(at), "stop (grace 8s) one of api at 3.127s for 1s");
        check(Fault::partition("a", "b"), "partition a ↔ b at 0s for 1s");
        check(Fault::partition_one_way("a", "b"), "one-way partition a → b at 0s for 1s");
        check(Fault::hold("a", "b"), "hold a ↔ b at 0s for 1s");
        check(Fault::loss(0.25, "a", "b"), "loss 25.0 % a ↔ b at 0s for 1s");
        check(Fault::latency(millis(1)..millis(2), "a", "b"), "latency +1ms..2ms a ↔ b at 0s for 1s");
        check(Fault::loss(0.25, "a", "b").one_way(), "loss 25.0 % a → b at 0s for 1s");
        check(Fault::isolate("a"), "partition a ↔ all at 0s for 1s");
        check(Fault::reject("a", "b"), "reject a ↔ b at 0s for 1s");
        check(Fault::latency_wave(millis(300), "a", "b"), "latency wave up to +300ms a ↔ b at 0s for 1s");
        check(
            Fault::burst_loss(millis(500), millis(50), 1.0, "a", "b"),
            "burst loss 100.0 % in bursts of 50ms, 500ms apart a ↔ b at 0s for 1s",
        );
        check(
            Fault::bandwidth(100_000, 65_536, "a", "b"),
            "bandwidth 100 kB per second, queue 65536 B a ↔ b at 0s for 1s",
        );
    }

    #[test]
    fn what_cannot_be_carried_out_is_said() {
        for (fault, expected) in [
            (Fault::loss(f64::NAN, "a", "b"), "loss rate NaN is not between 0 and 1"),
            (
                Fault::burst_loss(secs(1), secs(1), 1.5, "a", "b"),
                "the rate 1.5 of losses in a burst is not between 0 and 1",
            ),
            (
                Fault::burst_loss(secs(1), millis(9), 1.0, "a", "b"),
                "burst loss needs a `gap` and a `burst` of at least 10ms",
            ),
            (
                Fault::bandwidth(0, 1, "a", "b"),
                "a bandwidth of nothing is a partition; at least 1 byte per second must pass",
            ),
        ] {
            assert_eq!(fault.defect().as_deref(), Some(expected));
        }
        let no_host = Fault { target: Fault::loss(0.1, "a", "b").one_way().target, ..Fault::kill("a") };
        assert_eq!(no_host.defect().as_deref(), Some("kill needs a target of hosts (`hosts`)"));
    }
}
