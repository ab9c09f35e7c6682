//! What there is to fear, for people who choose: each kind of fault with what a peer sees of it. It knows nothing of how
//! that is printed.

use super::{DiskCalls, FaultKind, millis, secs};

/// One kind of fault, or one generator that composes several.
#[derive(Clone, Debug)]
pub struct CatalogRow {
    /// The name by which it is listed, for example `power off`.
    pub name: &'static str,
    /// How its generator is written in a scenario, or the fault itself if no generator draws it.
    pub written: &'static str,
    /// What a peer (or the machine's own program) sees.
    pub seen: &'static str,
    /// Its parameters beside when and where, with what they mean.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// Every kind of fault with an example, in the order in which kinds are declared.
pub fn kinds() -> Vec<(FaultKind, CatalogRow)> {
    let entry = |kind: FaultKind, written, seen, parameters| {
        let name = kind.name();
        (kind, CatalogRow { name, written, seen, parameters })
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
            "these very segments are lost, late or corrupted: what faults with a rate came down to in one run",
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
            FaultKind::PartitionWithReset,
            "fault::partition_with_reset(from, to)",
            "a firewall that answers: connects are refused, and an open connection is reset when it next sends",
            &[],
        ),
        entry(FaultKind::Hold, "fault::hold(from, to)", "nothing, then everything at once", &[]),
        entry(
            FaultKind::Reset { after_bytes: 100 },
            "fault::reset(after_bytes, from, to)",
            "a connection is reset in the middle of a message, once each: both ends learn of it, after exactly so many bytes",
            &[("after_bytes", "what still passes in one direction; 0 loses the whole message")],
        ),
        entry(
            FaultKind::Close { after_bytes: 100 },
            "fault::close(after_bytes, from, to)",
            "a message that ends too early: the end of the stream after exactly so many bytes, a reset for whoever writes on",
            &[("after_bytes", "what still passes in one direction")],
        ),
        entry(
            FaultKind::Stall { after_bytes: 100 },
            "fault::stall(after_bytes, from, to)",
            "the headers come and the body does not, until the end",
            &[("after_bytes", "what passes of each connection in one direction before it stalls")],
        ),
        entry(
            FaultKind::Trickle { bytes: 10, every: millis(100) },
            "fault::trickle(bytes, every, from, to)",
            "the bytes of each connection arrive a few at a time",
            &[("bytes", "how many arrive together, at least 1"), ("every", "from one such arrival to the next")],
        ),
        entry(
            FaultKind::Corrupt { rate: 0.01 },
            "fault::corrupt(rate, from, to)",
            "a byte of a body is not what was sent, and no checksum of the network tells",
            &[("rate", "probability in [0, 1] that a segment has a flipped bit")],
        ),
        entry(
            FaultKind::CloseIdle { idle_for: secs(5) },
            "fault::close_idle(idle_for, from, to)",
            "an idle connection ends just before a pool uses it again: the end of the stream, then a reset for who writes",
            &[("idle_for", "how long it must have been idle; those that are idle at the beginning end at once")],
        ),
        entry(
            FaultKind::HalfOpen,
            "fault::half_open(from, to)",
            "the second side forgot its connections with the first, which is reset a round trip after it sends",
            &[],
        ),
        entry(
            FaultKind::ShortReads { at_most_bytes: 1 },
            "fault::short_reads(hosts, at_most_bytes)",
            "the machine's own program reads a few bytes at a time, though more are there",
            &[("at_most_bytes", "what a read returns at most, at least 1")],
        ),
        entry(
            FaultKind::ShortWrites { at_most_bytes: 1 },
            "fault::short_writes(hosts, at_most_bytes)",
            "the machine's own program can write a few bytes at a time, and nobody waits for the rest",
            &[("at_most_bytes", "what a write accepts at most, at least 1")],
        ),
        entry(
            FaultKind::SmallWindow { bytes: 1_000 },
            "fault::small_window(hosts, bytes)",
            "who sends to the machine must wait until it reads: backpressure after so many bytes",
            &[("bytes", "what may be on the way or unread on each connection, at least 1")],
        ),
        entry(
            FaultKind::Kill,
            "fault::kill(hosts)",
            "the end of the stream (or a reset, if bytes were left unread) at once; connects are refused until the restart",
            &[],
        ),
        entry(
            FaultKind::PowerOff,
            "fault::power_off(hosts)",
            "silence; after power on a reset of old connections; each write that was not synced is lost, whole or torn: of a torn \
             one a part is there, up to some sector of 512 bytes",
            &[],
        ),
        entry(
            FaultKind::Stop { grace: secs(5) },
            "fault::stop(hosts, grace)",
            "the program is asked to stop and may finish; then as with a kill",
            &[("grace", "how long it may take before it is killed")],
        ),
        entry(
            FaultKind::DiskErrors { rate: 0.1, calls: DiskCalls::All },
            "fault::disk_errors(rate, DiskCalls::All, hosts)",
            "calls of the disk fail with EIO and have no effect; what a failed sync was to save, no later sync saves unless it \
             is written again",
            &[
                ("rate", "probability in [0, 1] that a call fails"),
                ("calls", "which calls: `all`, `reads`, `writes` or `syncs`"),
            ],
        ),
        entry(
            FaultKind::DiskFull { free_bytes: 0 },
            "fault::disk_full(free_bytes, hosts)",
            "files cannot grow (`ErrorKind::StorageFull`); what is written in place is",
            &[("free_bytes", "by how much files can still grow, all together")],
        ),
        entry(
            FaultKind::DiskSlow { read: millis(5), write: millis(5), sync: millis(50) },
            "fault::disk_slow(read, write, sync, hosts)",
            "whoever waits for the disk answers late, and calls wait for one another",
            &[
                ("read", "what is added to the time of each read"),
                ("write", "what is added to that of each write and each change of a length or a name"),
                ("sync", "what is added to that of each sync"),
            ],
        ),
        entry(
            FaultKind::DiskCorruption { rate: 0.01 },
            "fault::disk_corruption(rate, hosts)",
            "a read returns one wrong bit, and the next one what is really there",
            &[("rate", "probability in [0, 1] that a read is wrong")],
        ),
        entry(
            FaultKind::LostSyncs,
            "fault::lost_syncs(hosts)",
            "nothing, until a power off takes what was synced",
            &[],
        ),
        entry(
            FaultKind::OutputStall,
            "fault::output_stall(hosts)",
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
            FaultKind::DnsSlow { by: secs(3) },
            "fault::dns_slow(by, from, to)",
            "a connect by name takes longer, before the first packet; open connections and addresses are as always",
            &[("by", "how long a name takes to be found")],
        ),
        entry(
            FaultKind::DnsBlackhole,
            "fault::dns_blackhole(from, to)",
            "a connect by name hangs, for 131 s at the longest; open connections and addresses are as always",
            &[],
        ),
        entry(
            FaultKind::DnsNotFound,
            "fault::dns_not_found(from, to)",
            "a connect by name fails at once, as for a name that does not exist; open connections and addresses do not",
            &[],
        ),
    ]
}

/// The generators that compose several faults.
pub fn compositions() -> Vec<CatalogRow> {
    let entry = |name, written, seen, parameters| CatalogRow { name, written, seen, parameters };
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

/// How the beginning of a fault is said, whatever its kind.
pub fn beginnings() -> Vec<CatalogRow> {
    let entry = |name, written, seen, parameters| CatalogRow { name, written, seen, parameters };
    vec![
        entry(
            "at a time",
            ".every(range), .once(range), .throughout()",
            "it begins with the step that holds the time",
            &[],
        ),
        entry(
            "at a message",
            ".at_message(from, to, containing)",
            "it begins just before a message leaves, which is the first to meet it; a process that dies does not send it",
            &[("containing", "what the bytes of the message contain, for example \"HTTP/1.1 201\"; nothing for any")],
        ),
        entry(
            "at an event",
            ".at_event(host, named)",
            "it begins just after an event; a process that dies does nothing that comes after it",
            &[("named", "a mark, the name of a note, or started, stopping, killed, powered-off, returned, failed")],
        ),
        entry(
            "lost answer",
            "fault::reset(0, here(), to).one_way().at_message(from, to, \"HTTP/1.1 201\")",
            "the request was carried out, and its answer never comes: the connection is reset",
            &[],
        ),
        entry(
            "cut upload",
            "fault::close(1_000, here(), to).one_way().at_message(from, to, \"POST\")",
            "the head of a request and the beginning of its body, then the end of the stream",
            &[],
        ),
        entry(
            "stalled body",
            "fault::stall(200, here(), to).one_way().at_message(from, to, \"POST\")",
            "the headers come, the body does not before the end of the fault",
            &[],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_catalog_with_all_its_parameters() {
        // Who reads a case file knows all kinds, and says so.
        let refusal = serde_json::from_str::<FaultKind>(r#"{"is": "?"}"#).unwrap_err().to_string();
        let known: Vec<&str> = refusal.split('`').skip(1).step_by(2).filter(|word| *word != "?").collect();
        assert!(known.len() >= 23, "{refusal}");
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
