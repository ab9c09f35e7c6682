//! The text of every kind of fault, and the parameters that are rejected.

use std::time::Duration;

use crate::fault::*;

#[test]
fn faults_of_links_and_disks_have_a_text() {
    let check = |fault: Fault, expected: &str| {
        assert_eq!(fault.to_string(), expected);
        assert_eq!(fault.defect(), None);
    };
    let (at, lasting) = (millis(3_127), millis(895));
    check(kill("store").at(at).lasting(lasting), "kill store at 3.127s for 895ms");
    check(power_off(["a", "b"]).at_start(), "power off a, b at 0s for 1s");
    check(stop(one("api"), secs(8)).at(at), "stop (grace 8s) one of api at 3.127s for 1s");
    check(partition("a", "b").at_start(), "partition a ↔ b at 0s for 1s");
    check(partition_one_way("a", "b").at_start(), "one-way partition a → b at 0s for 1s");
    check(hold("a", "b").at_start(), "hold a ↔ b at 0s for 1s");
    check(loss(0.25, "a", "b").at_start(), "loss 25.0 % a ↔ b at 0s for 1s");
    check(latency(millis(1)..millis(2), "a", "b").at_start(), "latency +1ms..2ms a ↔ b at 0s for 1s");
    check(
        kill("a").at_nth_message("a", one("b"), "HTTP/1.1 200", 3),
        "kill a at message 3 a → one of b with \"HTTP/1.1 200\" for 1s",
    );
    check(hold("a", "b").at_nth_message("a", "b", "", 1), "hold a ↔ b at message 1 a → b for 1s");
    check(kill("a").at_nth_event("a", "applied", 2), "kill a at event 2 `applied` of a for 1s");
    check(loss(0.25, "a", "b").one_way().at_start(), "loss 25.0 % a → b at 0s for 1s");
    check(isolate("a").at_start(), "partition a ↔ all at 0s for 1s");
    check(partition_with_reset("a", "b").at_start(), "partition with reset a ↔ b at 0s for 1s");
    check(latency_wave(millis(300), "a", "b").at_start(), "latency wave up to +300ms a ↔ b at 0s for 1s");
    check(
        burst_loss(millis(500), millis(50), 1.0, "a", "b").at_start(),
        "burst loss 100.0 % in bursts of 50ms, 500ms apart a ↔ b at 0s for 1s",
    );
    check(
        bandwidth(100_000, 65_536, "a", "b").at_start(),
        "bandwidth 100 kB per second, queue 65536 B a ↔ b at 0s for 1s",
    );
    check(disk_errors(0.25, DiskCalls::Syncs, "a").at_start(), "sync errors 25.0 % a at 0s for 1s");
    check(disk_errors(1.0, DiskCalls::All, "a").at_start(), "disk errors 100.0 % a at 0s for 1s");
    check(disk_full(64_000, "a").at_start(), "disk full (64 kB free) a at 0s for 1s");
    check(
        disk_slow(Duration::ZERO, millis(2), secs(1), "a").at_start(),
        "disk slow (+2ms a write, +1s a sync) a at 0s for 1s",
    );
    check(disk_corruption(0.001, "a").at_start(), "disk corruption 0.1 % a at 0s for 1s");
    check(lost_syncs("a").at_start(), "lost syncs a at 0s for 1s");
}

#[test]
fn impossible_faults_of_links_and_disks_are_refused() {
    for (fault, expected) in [
        (loss(f64::NAN, "a", "b").at_start(), "loss rate NaN is not between 0 and 1"),
        (burst_loss(secs(1), secs(1), 1.5, "a", "b").at_start(), "burst loss rate 1.5 is not between 0 and 1"),
        (
            burst_loss(secs(1), millis(9), 1.0, "a", "b").at_start(),
            "burst loss needs a `gap` and a `burst` of at least 10ms",
        ),
        (
            bandwidth(0, 1, "a", "b").at_start(),
            "a bandwidth of 0 would be a partition: `bytes_per_second` must be at least 1",
        ),
        (kill("a").at_nth_message("a", "b", "", 0), "messages and events are counted from 1: `nth` must not be 0"),
        (kill("a").at_nth_event("a", "", 1), "an event needs a name (`named`)"),
        (disk_errors(-0.5, DiskCalls::Reads, "a").at_start(), "disk error rate -0.5 is not between 0 and 1"),
        (
            disk_slow(secs(0), secs(0), secs(0), "a").at_start(),
            "a slow disk needs a delay: `read`, `write` or `sync` must be more than 0",
        ),
        (disk_corruption(2.0, "a").at_start(), "disk corruption rate 2 is not between 0 and 1"),
    ] {
        assert_eq!(fault.defect().as_deref(), Some(expected));
    }
    let no_host = Fault { target: loss(0.1, "a", "b").one_way().at_start().target, ..kill("a").at_start() };
    assert_eq!(no_host.defect().as_deref(), Some("kill needs a target of hosts (`hosts`)"));
}

#[test]
fn faults_of_streams_have_a_text_and_round_trip() {
    let check = |fault: Fault, expected: &str| {
        assert_eq!(fault.to_string(), expected);
        assert_eq!(fault.defect(), None);
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault, "{text}");
    };
    check(reset(0, "a", "b").at_start(), "reset after 0 B a ↔ b at 0s for 1s");
    check(close(1_000, "a", "b").one_way().at_start(), "close after 1 kB a → b at 0s for 1s");
    check(stall(120, "a", "b").at_start(), "stall after 120 B a ↔ b at 0s for 1s");
    check(trickle(10, millis(200), "a", "b").at_start(), "trickle 10 B each 200ms a ↔ b at 0s for 1s");
    check(corrupt(0.01, "a", "b").at_start(), "corrupt 1.0 % a ↔ b at 0s for 1s");
    check(close_idle(secs(5), "a", "b").at_start(), "close idle after 5s a ↔ b at 0s for 1s");
    check(half_open("a", "b").at_start(), "half-open a → b at 0s for 1s");
    check(short_reads("a", 1).at_start(), "short reads of at most 1 B a at 0s for 1s");
    check(short_writes("a", 7).at_start(), "short writes of at most 7 B a at 0s for 1s");
    check(small_window("a", 4_000).at_start(), "small window of 4 kB a at 0s for 1s");
}

#[test]
fn impossible_faults_of_streams_are_refused() {
    for (fault, expected) in [
        (corrupt(1.5, "a", "b").at_start(), "corrupt rate 1.5 is not between 0 and 1"),
        (trickle(0, secs(1), "a", "b").at_start(), "a trickle of 0 bytes would be a stall: `bytes` must be at least 1"),
        (
            trickle(1, Duration::ZERO, "a", "b").at_start(),
            "a trickle needs a time between arrivals: `every` must be more than 0",
        ),
        (
            short_reads("a", 0).at_start(),
            "a read of 0 bytes would be the end of the stream: `at_most_bytes` must be at least 1",
        ),
        (
            short_writes("a", 0).at_start(),
            "a write that accepts 0 bytes would never end: `at_most_bytes` must be at least 1",
        ),
        (small_window("a", 0).at_start(), "a window of 0 bytes would be a stall: `bytes` must be at least 1"),
        (
            Fault { target: reset(1, "a", "b").at_start().target, ..short_reads("a", 1).at_start() },
            "short reads needs a target of hosts (`hosts`)",
        ),
        (
            Fault { target: kill("a").at_start().target, ..half_open("a", "b").at_start() },
            "half-open needs a target of two sides (`links`)",
        ),
    ] {
        assert_eq!(fault.defect().as_deref(), Some(expected));
    }
}

#[test]
fn faults_of_machines_have_a_text_and_round_trip() {
    let check = |fault: Fault, expected: &str| {
        assert_eq!(fault.to_string(), format!("{expected} at 0s for 1s"));
        assert_eq!(fault.defect(), None);
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
    };
    check(output_stall(one("api")).at_start(), "output stall one of api");
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    check(pause(one("api")).at_start(), "pause one of api");
    check(slow_start(millis(1_500), "a").at_start(), "slow start by 1.5s a");
    check(out_of_memory(8, secs(2), "a").at_start(), "out of memory at 8 requests in flight (restart after 2s) a");
    check(clock_skew(-3_600_000, "a").at_start(), "clock skew -3600s a");
    check(clock_skew(250, "a").at_start(), "clock skew +250ms a");
    check(clock_drift(500, "a").at_start(), "clock drift +500 ppm a");
    check(clock_drift(-40, "a").at_start(), "clock drift -40 ppm a");
    check(dns_slow(secs(3), "a", "b").at_start(), "dns slow by 3s a → b");
    check(dns_blackhole("a", "b").at_start(), "dns blackhole a → b");
    check(dns_not_found("a", "b").at_start(), "dns not found a → b");
}

#[test]
fn generators_of_wrong_clocks_differ_by_sign() {
    let name = |generator: FaultGenerator| crate::fault::Generator::from(generator).name().to_owned();
    assert_eq!(name(clock_skew(90_000, "a")), "clock skew +90s a");
    assert_eq!(name(clock_skew(-90_000, "a")), "clock skew -90s a");
    assert_eq!(name(clock_drift(-500, "a")), "clock drift -500 ppm a");
    assert_eq!(name(slow_start(secs(1), "a")), "slow start a");
}

#[test]
fn impossible_faults_of_machines_are_refused() {
    for (fault, expected) in [
        (
            out_of_memory(0, secs(1), "a").at_start(),
            "a program killed at 0 requests in flight could never run: `in_flight` must be at least 1",
        ),
        (
            clock_skew(0, "a").at_start(),
            "a clock skew of 0 ms is out of range: it must not be 0, and at most 10^12 ms either way",
        ),
        (
            clock_skew(i64::MIN, "a").at_start(),
            "a clock skew of -9223372036854775808 ms is out of range: it must not be 0, and at most 10^12 ms either way",
        ),
        (
            clock_drift(0, "a").at_start(),
            "a clock drift of 0 ppm is out of range: it must not be 0, and less than 10^6 either way",
        ),
        (
            clock_drift(-1_000_000, "a").at_start(),
            "a clock drift of -1000000 ppm is out of range: it must not be 0, and less than 10^6 either way",
        ),
        (
            Fault { target: kill("a").at_start().target, ..dns_blackhole("a", "b").at_start() },
            "dns blackhole needs a target of two sides (`links`)",
        ),
        (
            Fault { target: hold("a", "b").at_start().target, ..output_stall("a").at_start() },
            "output stall needs a target of hosts (`hosts`)",
        ),
    ] {
        assert_eq!(fault.defect().as_deref(), Some(expected));
    }
}

#[test]
fn a_new_name_of_a_kind_changes_no_draw() {
    let mut keys: Vec<(String, &str)> =
        FaultKind::examples().iter().map(|kind| (kind.draw_key(), kind.name())).collect();
    for calls in [DiskCalls::Reads, DiskCalls::Writes, DiskCalls::Syncs] {
        let kind = disk_errors(0.1, calls, "a").kind;
        keys.push((kind.draw_key(), kind.name()));
    }
    let distinct: std::collections::BTreeSet<&String> = keys.iter().map(|(key, _)| key).collect();
    assert_eq!(distinct.len(), keys.len(), "{keys:?}");

    let is_renamed = |(key, name): &&(String, &str)| !key.starts_with(*name);
    let renamed: Vec<(&str, &str)> = keys.iter().filter(is_renamed).map(|(key, name)| (&**key, *name)).collect();
    let expected = [
        ("reject", "partition with reset"),
        ("cut", "close"),
        ("drip", "trickle"),
        ("flip", "corrupt"),
        ("disk flips", "disk corruption"),
        ("mute", "output stall"),
        ("late resolution", "dns slow"),
        ("dead resolution", "dns blackhole"),
        ("no resolution", "dns not found"),
    ];
    assert_eq!(renamed, expected);
}
