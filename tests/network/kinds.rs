//! Single faults of links as a peer sees them: bursts, latency waves, limited bandwidth, firewalls, one-way faults.

use super::*;

/// The lengths of all runs of `true`.
fn runs(states: &[bool]) -> Vec<usize> {
    states.split(|state| !state).map(<[bool]>::len).filter(|length| *length > 0).collect()
}

/// Notes how long each of `count` pings on one connection takes; one begins every `every_ms`.
async fn round_trips(cx: &HostContext, seen: &Seen, count: u64, every_ms: u64) {
    let mut stream = cx.connector().connect("server", 80).await.unwrap();
    let started = cx.elapsed();
    for number in 0..count {
        let due = started + millis(number * every_ms);
        tokio::time::sleep(due.saturating_sub(cx.elapsed())).await;
        let asked = cx.elapsed();
        ping(&mut stream).await.unwrap();
        let took = cx.elapsed() - asked;
        seen.lock().unwrap().push((asked.as_millis().to_string(), took));
    }
}

fn durations(seen: &Seen) -> Vec<Duration> {
    seen.lock().unwrap().iter().map(|(_, took)| *took).collect()
}

#[test]
fn burst_loss_comes_in_runs_and_never_breaks_a_connection() {
    let lossy =
        fault::burst_loss(millis(500), millis(50), 1.0, "client", "server").one_way().at_start().lasting(secs(60));
    let (run, seen) = world(20, vec![lossy], |cx, seen| async move {
        // A connect whose SYN is lost sends another after a second, so its duration reveals the loss.
        let mut connects = Vec::new();
        for _ in 0..5_000 {
            let connector = cx.connector();
            let own = cx.clone();
            connects.push(tokio::spawn(async move {
                let asked = own.elapsed();
                connector.connect("server", 80).await.map(|_| own.elapsed() - asked)
            }));
            tokio::time::sleep(millis(10)).await;
        }
        for connect in connects {
            let took = connect.await.unwrap().unwrap();
            seen.lock().unwrap().push(("connect".into(), took));
        }
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        for _ in 0..100 {
            ping(&mut stream).await.unwrap();
        }
        note(&seen, &cx, "pinged");
    });
    assert!(saw(&seen, "pinged"));
    let lost: Vec<bool> = durations(&seen)[..5_000].iter().map(|took| *took > millis(1_000)).collect();
    let runs = runs(&lost);
    let count = lost.iter().filter(|lost| **lost).count();
    // A burst lasts five slots of 10 ms on average; at the same rate, independent losses come in runs of 1.1.
    let mean = count as f64 / runs.len() as f64;
    assert!((4.0..6.0).contains(&mean), "runs of {mean} on average: {runs:?}");
    assert!((250..=700).contains(&count), "{count} of 5,000 were lost, but bursts fill one slot in eleven");
    assert!(run.outcome.fault_effects[0] as usize >= count);
}

#[test]
fn a_wave_of_latency_rises_and_falls() {
    let wave = fault::latency_wave(millis(300), "client", "server").at(secs(1)).lasting(secs(20));
    let (_, seen) = world(20, vec![wave], |cx, seen| async move { round_trips(&cx, &seen, 24, 1_000).await });
    let took = durations(&seen);
    assert_between(took[0], 40, 42);
    assert!(took[..=11].is_sorted(), "{took:?}");
    assert!(took[11..22].is_sorted_by(|a, b| a >= b), "{took:?}");
    // Each way takes up to 20 + 300 ms.
    assert_between(took[11], 600, 641);
    assert_between(took[5], 280, 400);
    assert_between(took[23], 40, 42);
}

/// Echoes on port 80; on port 81 reads to the end of each stream, and then answers.
async fn echo_and_sink(cx: HostContext) -> io::Result<()> {
    let sink = cx.listener(81);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = sink.accept().await {
            let mut bytes = Vec::new();
            if stream.read_to_end(&mut bytes).await.is_ok() {
                let _ = stream.write_all(b"all").await;
            }
        }
    });
    echo(cx.listener(80)).await
}

/// Uploads a megabyte from 5 s on, and pings throughout.
async fn upload_beside_pings(cx: HostContext, seen: Seen) {
    let own = cx.clone();
    let upload = tokio::spawn(async move {
        let mut stream = own.connector().connect("server", 81).await.unwrap();
        until(&own, 5_000).await;
        stream.write_all(&vec![7; 1 << 20]).await.unwrap();
        stream.shutdown().await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        own.elapsed()
    });
    round_trips(&cx, &seen, 60, 500).await;
    let ended = upload.await.unwrap();
    seen.lock().unwrap().push(("uploaded".into(), ended));
}

#[test]
fn a_narrow_link_with_a_deep_queue_delays_under_load_and_recovers() {
    let narrow = fault::bandwidth(100_000, 1_000_000, "client", "server").at_start().lasting(secs(100));
    let (run, seen) = world_with(20, vec![narrow], echo_and_sink, upload_beside_pings, |s| s);
    let took = durations(&seen);
    // Idle, a ping is 70 bytes with its headers: 0.7 ms each way.
    for idle in &took[..9] {
        assert_between(*idle, 41, 43);
    }
    // Up to a window of 256 KiB is queued ahead of the ping, which takes 2.6 s at this rate.
    let worst = took[..60].iter().max().unwrap();
    assert_between(*worst, 2_000, 2_700);
    assert_between(took[59], 41, 43);
    // A megabyte takes at least 10.5 s.
    assert_between(at(&seen, "uploaded") - secs(5), 10_480, 11_500);
    assert!(run.outcome.fault_effects[0] > 100);
}

#[test]
fn a_shallow_queue_loses_segments_that_are_sent_again() {
    let narrow = fault::bandwidth(100_000, 20_000, "client", "server").at_start().lasting(secs(150));
    let (_, seen) = world_with(20, vec![narrow], echo_and_sink, upload_beside_pings, |s| s);
    let took = durations(&seen);
    assert_between(took[0], 41, 43);
    // A segment that finds the queue full is sent again after at least 240 ms; one that is accepted waits 0.66 s at
    // most.
    let resent = took[..60].iter().filter(|took| **took > millis(240)).count();
    assert!(resent >= 3, "{took:?}");
    assert!(saw(&seen, "uploaded"), "losses delay the upload and never break it");
}

#[test]
fn a_firewall_that_answers_resets_connections_and_refuses_connects() {
    let server = |cx: HostContext| async move {
        let listener = cx.listener(80);
        let (mut first, _) = listener.accept().await?;
        tokio::spawn(async move {
            // This side learns only after the partition that its peer was reset.
            tokio::time::sleep(secs(5)).await;
            assert!(first.read(&mut [0; 16]).await.is_ok_and(|length| length == 5));
            first.write_all(b"anybody there?").await.unwrap();
            reads_reset(&mut first).await;
        });
        echo(listener).await
    };
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        until(&cx, 1_500).await;
        stream.write_all(b"ping").await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
        let error = cx.connector().connect("server", 80).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        note(&seen, &cx, "refused");
        until(&cx, 3_000).await;
        ping(&mut cx.connector().connect("server", 80).await.unwrap()).await.unwrap();
        note(&seen, &cx, "answered");
        tokio::time::sleep(secs(10)).await;
        drop(stream);
    };
    let reject = fault::partition_with_reset("client", "server").at(secs(1)).lasting(secs(2));
    let (run, seen) = world_with(20, vec![reject], server, client, |s| s);
    // The firewall is halfway: its answer takes one latency in total.
    assert_between(at(&seen, "reset"), 1_520, 1_521);
    assert_between(at(&seen, "refused"), 1_540, 1_542);
    assert_between(at(&seen, "answered"), 3_080, 3_085);
    assert_eq!(run.outcome.fault_effects, vec![2]);
}

#[test]
fn a_firewall_on_the_way_back_resets_only_the_answering_side() {
    let reject = fault::partition_with_reset("server", "client").one_way().at(secs(1)).lasting(secs(2));
    let (run, seen) = world(20, vec![reject], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        stream.write_all(b"ping").await.unwrap();
        let quiet = tokio::time::timeout(secs(2), stream.read(&mut [0; 16])).await;
        note(&seen, &cx, if quiet.is_err() { "silence" } else { "answer" });
        stream.write_all(b"ping").await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
    });
    assert!(saw(&seen, "silence"));
    assert_between(at(&seen, "reset") - at(&seen, "silence"), 40, 42);
    assert_eq!(run.outcome.fault_effects, vec![1]);
}

#[test]
fn segments_held_by_a_partition_are_reset_by_a_firewall_behind_it() {
    let partition = fault::partition("client", "server").at(secs(1)).lasting(secs(2));
    let reject = fault::partition_with_reset("client", "server").at(secs(1)).lasting(secs(9));
    let (run, seen) = world(20, vec![partition, reject], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        stream.write_all(b"ping").await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
    });
    // Transmissions at 1.5, 1.74, 1.98, 2.46 and 3.42 s: the last meets the firewall.
    assert_between(at(&seen, "reset"), 3_440, 3_442);
    assert_eq!(run.outcome.fault_effects, vec![4, 1]);
}

#[test]
fn a_one_way_fault_leaves_the_way_back_alone() {
    let slow = fault::latency(millis(100)..millis(100), "server", "client").one_way().at(secs(1)).lasting(secs(9));
    let (_, seen) = world(20, vec![slow], |cx, seen| async move { round_trips(&cx, &seen, 3, 2_000).await });
    let took = durations(&seen);
    assert_between(took[0], 40, 42);
    assert_between(took[1], 140, 142);

    let lossy = fault::loss(1.0, "server", "client").one_way().at(secs(1)).lasting(secs(2));
    let hold = fault::hold("server", "client").one_way().at(secs(1)).lasting(secs(2));
    for fault in [lossy, hold] {
        let asked = Seen::default();
        let server = sharing(&asked, |cx, asked| async move {
            let (mut stream, _) = cx.listener(80).accept().await?;
            stream.read_exact(&mut [0; 4]).await?;
            note(&asked, &cx, "asked");
            stream.write_all(b"pong").await?;
            std::future::pending().await
        });
        let client = |cx: HostContext, seen: Seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            until(&cx, 1_500).await;
            ping(&mut stream).await.unwrap();
            note(&seen, &cx, "answered");
        };
        let (_, seen) = world_with(20, vec![fault], server, client, |s| s);
        assert_between(at(&asked, "asked"), 1_520, 1_521);
        // The answer is sent at 1.52 s: it arrives when the hold ends, or with the first transmission after the loss,
        // at 3.44 s.
        assert_between(at(&seen, "answered"), 3_000, 3_465);
    }
}

#[test]
fn removing_a_fault_leaves_bursts_unchanged() {
    let times = |mut faults: Vec<Fault>| {
        faults.push(fault::burst_loss(millis(200), millis(100), 0.8, "client", "server").at_start().lasting(secs(100)));
        let (_, seen) = world(20, faults, |cx, seen| async move { round_trips(&cx, &seen, 200, 50).await });
        durations(&seen)
    };
    let alone = times(vec![]);
    assert!(alone.iter().any(|took| *took > millis(200)), "{alone:?}");
    // An earlier fault of the plan that has no effect on these segments.
    assert_eq!(alone, times(vec![fault::loss(0.0, "client", "server").at_start().lasting(secs(100))]));
}

#[test]
fn queued_segments_leave_when_the_bandwidth_fault_ends() {
    // A ping would need a minute on this link.
    let narrow = fault::bandwidth(1, 1_000_000, "client", "server").at(secs(2)).lasting(secs(5));
    let (_, seen) = world(20, vec![narrow], |cx, seen| async move { round_trips(&cx, &seen, 4, 3_000).await });
    let took = durations(&seen);
    assert_between(took[0], 40, 42);
    // Asked at about 3 s, it waits until 7 s.
    assert_between(took[1], 3_900, 4_100);
    assert_between(took[2], 40, 1_100);
    assert_between(took[3], 40, 42);
}

#[test]
fn the_end_of_another_fault_releases_no_held_segment() {
    let held = |faults: Vec<Fault>| {
        let hold = fault::hold("client", "server").at(secs(1)).lasting(secs(9));
        let reject = fault::partition_with_reset("client", "server").at(secs(5)).lasting(secs(3));
        let (_, seen) = world(20, [vec![hold, reject], faults].concat(), |cx, seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            tokio::time::sleep(millis(1_500)).await;
            ping(&mut stream).await.unwrap();
            note(&seen, &cx, "answered");
        });
        at(&seen, "answered")
    };
    let latency = fault::latency(Duration::ZERO..Duration::ZERO, "client", "server").at(secs(4)).lasting(secs(2));
    assert_between(held(vec![]), 10_000, 10_100);
    assert_eq!(held(vec![latency]), held(vec![]));
}
