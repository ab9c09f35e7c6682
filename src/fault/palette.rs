//! What there is to fear, for people who choose: each kind of fault with what a peer sees of it. It knows nothing of how
//! that is printed.

use super::{FaultKind, millis, secs};

/// One kind of fault, or one source that composes several.
#[derive(Clone, Debug)]
pub struct PaletteEntry {
    /// The name by which it is listed, for example `power off`.
    pub name: &'static str,
    /// How its source is written in a scenario, or the fault itself if no source draws it.
    pub written: &'static str,
    /// What a peer (or the machine's own program) sees.
    pub seen: &'static str,
    /// Its parameters beside when and where, with what they mean.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// Every kind of fault with an example, in the order in which kinds are declared.
pub fn kinds() -> Vec<(FaultKind, PaletteEntry)> {
    let entry = |kind: FaultKind, written, seen, parameters| {
        let name = kind.name();
        (kind, PaletteEntry { name, written, seen, parameters })
    };
    vec![
        entry(
            FaultKind::Loss { rate: 0.01 },
            "fault::loss(rate, from, to)",
            "bytes come late by a retransmission timeout (the round trip and 200 ms, then doubled), a connect by a second",
            &[("rate", "probability in [0, 1] that a transmission is lost")],
        ),
        entry(
            FaultKind::BurstLoss { gap: secs(1), burst: millis(100), rate: 1.0 },
            "fault::burst_loss(gap, burst, rate, from, to)",
            "as with loss, but in runs: for a while hardly anything gets through, then all is well again",
            &[
                ("gap", "mean time from the end of one burst to the beginning of the next, at least 10 ms"),
                ("burst", "mean length of a burst, at least 10 ms"),
                ("rate", "probability in [0, 1] that a burst loses a transmission"),
            ],
        ),
        entry(
            FaultKind::Latency { at_least: millis(10), at_most: millis(100) },
            "fault::latency(at_least..at_most, from, to)",
            "everything is late, by a time that differs from segment to segment; bytes stay in order",
            &[("at_least", "the least that is added to a segment's time"), ("at_most", "the most that is added")],
        ),
        entry(
            FaultKind::LatencyWave { peak: millis(500) },
            "fault::latency_wave(peak, from, to)",
            "round trips grow evenly until the middle of the fault, then shrink again",
            &[("peak", "what is added to a segment's time in the middle")],
        ),
        entry(
            FaultKind::Bandwidth { bytes_per_second: 100_000, queue_bytes: 1_000_000 },
            "fault::bandwidth(bytes_per_second, queue_bytes, from, to)",
            "throughput has a bound, and under load everybody on the link waits in its queue; what overflows is lost",
            &[
                ("bytes_per_second", "what each direction between two hosts carries, headers included"),
                ("queue_bytes", "how much may wait before the rest is lost"),
            ],
        ),
        entry(
            FaultKind::Segments { fates: Vec::new() },
            "Fault::segments(from, to, [fates])",
            "these very segments are lost or late: what the faults above came down to in one run",
            &[("fates", "connection, direction and number of each segment, and what becomes of it")],
        ),
        entry(
            FaultKind::Partition,
            "fault::partition(from, to)",
            "silence; a connect hangs; after the end, the next retransmission gets through",
            &[],
        ),
        entry(
            FaultKind::PartitionOneWay,
            "fault::partition_one_way(from, to)",
            "one side is heard and hears nothing: requests arrive and answers do not, or the other way round",
            &[],
        ),
        entry(
            FaultKind::Reject,
            "fault::reject(from, to)",
            "a firewall that answers: connects are refused, and an open connection is reset when it next sends",
            &[],
        ),
        entry(FaultKind::Hold, "fault::hold(from, to)", "nothing, then everything at once", &[]),
        entry(
            FaultKind::Kill,
            "fault::kill(hosts)",
            "the end of the stream (or a reset, if bytes were left unread) at once; connects are refused until the restart",
            &[],
        ),
        entry(
            FaultKind::PowerOff,
            "fault::power_off(hosts)",
            "silence; after power on a reset of old connections; what was not synced is lost or torn",
            &[],
        ),
        entry(
            FaultKind::Stop { grace: secs(5) },
            "fault::stop(hosts, grace)",
            "the program is asked to stop and may finish; then as with a kill",
            &[("grace", "how long it may take before it is killed")],
        ),
        entry(
            FaultKind::Mute,
            "fault::mute(hosts)",
            "a program that hangs: connects work, requests are taken in, and no answer comes until the end of the fault",
            &[],
        ),
        entry(
            FaultKind::SlowStart { by: secs(2) },
            "fault::slow_start(by, hosts)",
            "connects are refused for longer after a restart; nothing without a restart during the fault",
            &[("by", "how much later a program listens than it wants, after each start during the fault")],
        ),
        entry(
            FaultKind::OutOfMemory { in_flight: 8, restart_after: secs(1) },
            "fault::out_of_memory(in_flight, restart_after, hosts)",
            "under load it dies as with a kill, with all the requests that it is at; nothing if it has less to do",
            &[
                ("in_flight", "with so many requests on accepted connections unanswered it dies, at least 1"),
                ("restart_after", "how long the supervisor takes to start it again"),
            ],
        ),
        entry(
            FaultKind::ClockSkew { by_ms: 3_600_000 },
            "fault::clock_skew(by_ms, hosts)",
            "the wall clock jumps, and jumps back at the end; monotonic clocks do not",
            &[("by_ms", "how far it is off, in milliseconds; negative is in the past")],
        ),
        entry(
            FaultKind::ClockDrift { parts_per_million: 500 },
            "fault::clock_drift(parts_per_million, hosts)",
            "the wall clock goes wrong slowly, and steps back to the true time at the end; monotonic clocks do not",
            &[("parts_per_million", "how many microseconds a second it is too fast; negative is too slow")],
        ),
        entry(
            FaultKind::ResolveLate { by: secs(3) },
            "fault::resolve_late(by, from, to)",
            "a connect by name takes longer, before the first packet; open connections and addresses are as always",
            &[("by", "how long a name takes to be found")],
        ),
        entry(
            FaultKind::ResolveDead,
            "fault::resolve_dead(from, to)",
            "a connect by name hangs, for 131 s at the longest; open connections and addresses are as always",
            &[],
        ),
        entry(
            FaultKind::ResolveNothing,
            "fault::resolve_nothing(from, to)",
            "a connect by name fails at once, as for a name that does not exist; open connections and addresses do not",
            &[],
        ),
    ]
}

/// The sources that compose several faults.
pub fn compositions() -> Vec<PaletteEntry> {
    let entry = |name, written, seen, parameters| PaletteEntry { name, written, seen, parameters };
    vec![
        entry("isolate", "fault::isolate(hosts)", "hosts that nobody reaches and that reach nobody", &[]),
        entry(
            "groups",
            "fault::partition_groups([hosts, hosts, ...])",
            "nothing passes between hosts of different groups",
            &[],
        ),
        entry("bridge", "fault::bridge(hosts)", "two halves that share one host: nobody sees the same world", &[]),
        entry(
            "flapping",
            "fault::flapping(period, from, to)",
            "a link that is cut and healed again and again",
            &[("period", "from one cut to the next, at least 20 ms; half of it is cut")],
        ),
        entry(
            "swizzle",
            "fault::swizzle(hosts)",
            "hosts that are cut from everybody one by one, and come back in another order",
            &[],
        ),
        entry(
            "slow host",
            "fault::slow_host(at_least..at_most, rate, hosts)",
            "all links of a host are late and lossy at once",
            &[
                ("at_least", "the least that is added to a segment's time"),
                ("at_most", "the most that is added"),
                ("rate", "probability in [0, 1] that a transmission is lost"),
            ],
        ),
        entry(
            "rolling stop",
            "fault::rolling_stop(hosts, grace)",
            "hosts are stopped and restarted one after the other, as by a deployment",
            &[("grace", "how long each may take before it is killed")],
        ),
        entry(
            "slow restart",
            "fault::slow_restart(by, hosts)",
            "as with a kill, and connects are still refused for a while after the restart",
            &[("by", "how long after its start a program listens")],
        ),
        entry(
            "restart loop",
            "fault::restart_loop(times, up, hosts)",
            "processes that die again and again, each time shortly after their start",
            &[("times", "how often they die"), ("up", "how long they live in between")],
        ),
        entry(
            "kill several",
            "fault::kill_several(count, hosts)",
            "some of a group die at the same moment",
            &[("count", "how many")],
        ),
        entry("whole tier", "fault::whole_tier(hosts)", "all of a group die at the same moment", &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_palette_with_all_its_parameters() {
        // Who reads a case file knows all kinds, and says so.
        let refusal = serde_json::from_str::<FaultKind>(r#"{"is": "?"}"#).unwrap_err().to_string();
        let known: Vec<&str> = refusal.split('`').skip(1).step_by(2).filter(|word| *word != "?").collect();
        assert!(known.len() >= 13, "{refusal}");
        let kinds: Vec<_> =
            kinds().into_iter().map(|(kind, entry)| (serde_json::to_value(kind).unwrap(), entry)).collect();
        assert!(kinds.iter().all(|(_, entry)| entry.name.len() < 18), "the page has a column of this width for names");
        let listed: Vec<&str> = kinds.iter().map(|(kind, _)| kind["is"].as_str().unwrap()).collect();
        assert_eq!(listed, known);
        for (kind, entry) in &kinds {
            let fields = kind.as_object().unwrap().keys().map(String::as_str).filter(|field| *field != "is");
            let mut explained: Vec<&str> = entry.parameters.iter().map(|(name, _)| *name).collect();
            explained.sort_unstable();
            assert_eq!(fields.collect::<Vec<_>>(), explained, "{}", entry.name);
        }
    }
}
