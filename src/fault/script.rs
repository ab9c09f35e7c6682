//! Single faults, written by hand: one constructor for each kind. For generators, which draw faults, see their functions.

use std::ops::Range;
use std::time::Duration;

use super::{DiskCalls, EventPoint, Fault, FaultKind, MessagePoint, SegmentFate, Selector, Target, Trigger, secs};

impl Fault {
    /// It begins with the run and lasts a second, unless something else is said.
    fn by_hand(kind: FaultKind, target: Target) -> Fault {
        Fault { trigger: Trigger::At(Duration::ZERO), kind, target, lasting: secs(1), generator: "by hand".to_owned() }
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

    /// These calls of the machines' disks fail with an I/O error, with probability `rate` each.
    pub fn disk_errors(rate: f64, calls: DiskCalls, hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::DiskErrors { rate, calls }, hosts)
    }

    /// Files on the machines' disks cannot grow by more than `free_bytes` in all.
    pub fn disk_full(free_bytes: u64, hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::DiskFull { free_bytes }, hosts)
    }

    /// Reads, writes and syncs of the machines' disks take so much longer, each.
    pub fn disk_slow(read: Duration, write: Duration, sync: Duration, hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::DiskSlow { read, write, sync }, hosts)
    }

    /// Reads of the machines' disks return one wrong bit, with probability `rate` each.
    pub fn disk_corruption(rate: f64, hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::DiskCorruption { rate }, hosts)
    }

    /// Syncs of the machines' disks do nothing and say that they did.
    pub fn lost_syncs(hosts: impl Into<Selector>) -> Fault {
        Fault::on_hosts(FaultKind::LostSyncs, hosts)
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
    pub fn partition_with_reset(from: impl Into<Selector>, to: impl Into<Selector>) -> Fault {
        Fault::on_links(FaultKind::PartitionWithReset, from, to)
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

    /// It begins just before the `nth` message from the one side to the other leaves whose bytes contain this text, counted
    /// from 1. Every message contains the empty text.
    pub fn at_message(
        mut self,
        from: impl Into<Selector>,
        to: impl Into<Selector>,
        containing: &str,
        nth: u32,
    ) -> Fault {
        let (from, to, containing) = (from.into(), to.into(), containing.to_owned());
        self.trigger = Trigger::Message(MessagePoint { from, to, containing, nth });
        self
    }

    /// It begins just after the `nth` event of these hosts that has this name, counted from 1.
    pub fn at_event(mut self, host: impl Into<Selector>, named: &str, nth: u32) -> Fault {
        self.trigger = Trigger::Event(EventPoint { host: host.into(), named: named.to_owned(), nth });
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
        check(
            Fault::kill("a").at_message("a", one("b"), "HTTP/1.1 200", 3),
            "kill a at message 3 a → one of b with \"HTTP/1.1 200\" for 1s",
        );
        check(Fault::hold("a", "b").at_message("a", "b", "", 1), "hold a ↔ b at message 1 a → b for 1s");
        check(Fault::kill("a").at_event("a", "applied", 2), "kill a at event 2 `applied` of a for 1s");
        check(Fault::loss(0.25, "a", "b").one_way(), "loss 25.0 % a → b at 0s for 1s");
        check(Fault::isolate("a"), "partition a ↔ all at 0s for 1s");
        check(Fault::partition_with_reset("a", "b"), "reject a ↔ b at 0s for 1s");
        check(Fault::latency_wave(millis(300), "a", "b"), "latency wave up to +300ms a ↔ b at 0s for 1s");
        check(
            Fault::burst_loss(millis(500), millis(50), 1.0, "a", "b"),
            "burst loss 100.0 % in bursts of 50ms, 500ms apart a ↔ b at 0s for 1s",
        );
        check(
            Fault::bandwidth(100_000, 65_536, "a", "b"),
            "bandwidth 100 kB per second, queue 65536 B a ↔ b at 0s for 1s",
        );
        check(Fault::disk_errors(0.25, DiskCalls::Syncs, "a"), "sync errors 25.0 % a at 0s for 1s");
        check(Fault::disk_errors(1.0, DiskCalls::All, "a"), "disk errors 100.0 % a at 0s for 1s");
        check(Fault::disk_full(64_000, "a"), "disk full (64 kB free) a at 0s for 1s");
        check(
            Fault::disk_slow(Duration::ZERO, millis(2), secs(1), "a"),
            "disk slow (+2ms a write, +1s a sync) a at 0s for 1s",
        );
        check(Fault::disk_corruption(0.001, "a"), "disk corruption 0.1 % a at 0s for 1s");
        check(Fault::lost_syncs("a"), "lost syncs a at 0s for 1s");
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
            (Fault::kill("a").at_message("a", "b", "", 0), "messages and events are counted from 1"),
            (Fault::kill("a").at_event("a", "", 1), "an event needs a name"),
            (Fault::disk_errors(-0.5, DiskCalls::Reads, "a"), "the rate -0.5 of disk errors is not between 0 and 1"),
            (Fault::disk_slow(secs(0), secs(0), secs(0), "a"), "a slow disk needs a time for some of its calls"),
            (Fault::disk_corruption(2.0, "a"), "the rate 2 of flipped reads is not between 0 and 1"),
        ] {
            assert_eq!(fault.defect().as_deref(), Some(expected));
        }
        let no_host = Fault { target: Fault::loss(0.1, "a", "b").one_way().target, ..Fault::kill("a") };
        assert_eq!(no_host.defect().as_deref(), Some("kill needs a target of hosts (`hosts`)"));
    }
}
