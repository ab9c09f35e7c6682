//! Several faults at once: bytes arrive whole and in order, or as a prefix.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn delayed_bytes_arrive_whole_and_in_order(
        faults in vec(delaying_fault(), 1..6),
        chunks in vec((0_u64..100, 1_usize..30_000), 1..40),
    ) {
        let total: usize = chunks.iter().map(|(_, length)| length).sum();
        let got = Seen::default();
        let server = sharing(&got, move |cx, seen| async move {
            let (mut stream, _) = cx.listener(80).accept().await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await?;
            note(&seen, &cx, if bytes == numbered(0..total) { "all" } else { "something else" });
            stream.write_all(b"done").await?;
            Ok(())
        });
        let client = move |cx: HostContext, seen: Seen| {
            let chunks = chunks.clone();
            async move {
                let mut stream = cx.connector().connect("server", 80).await.unwrap();
                let mut number = 0;
                for (pause, length) in chunks {
                    tokio::time::sleep(millis(pause)).await;
                    stream.write_all(&numbered(number..number + length)).await.unwrap();
                    number += length;
                }
                stream.shutdown().await.unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.unwrap();
                note(&seen, &cx, String::from_utf8(answer).unwrap());
            }
        };
        let (_, seen) = world_with(20, faults, server, client, |s| s);
        prop_assert!(saw(&got, "all") && saw(&seen, "done"), "{:?} {:?}", got, seen);
    }
}

/// The bytes of a stream, each of which encodes its position.
fn numbered(places: Range<usize>) -> Vec<u8> {
    places.map(|place| (place % 251) as u8).collect()
}

/// Any fault that only delays, within the first seconds, one way or both ways.
fn delaying_fault() -> impl Strategy<Value = Fault> {
    let (client, server) = ("client", "server");
    let kind = prop_oneof![
        (0_u64..50_000).prop_map(move |bytes| Fault::stall(bytes, client, server)),
        (1_u64..2_000, 1_u64..100).prop_map(move |(bytes, every)| Fault::trickle(bytes, millis(every), client, server)),
        (0.0..0.3).prop_map(move |rate| Fault::loss(rate, client, server)),
        (0_u64..300).prop_map(move |most| Fault::latency(millis(0)..millis(most), client, server)),
        Just(Fault::hold(client, server)),
        Just(Fault::partition(client, server)),
        (1_u64..5_000).prop_map(move |bytes| Fault::small_window(server, bytes)),
        (1_u64..500).prop_map(move |bytes| Fault::short_reads(server, bytes)),
        (1_u64..500).prop_map(move |bytes| Fault::short_writes(client, bytes)),
    ];
    (kind, 0_u64..3_000, 1_u64..5_000, any::<bool>()).prop_map(|(fault, begins, lasting, one_way)| {
        let fault = fault.at(millis(begins)).lasting(millis(lasting));
        if one_way { fault.one_way() } else { fault }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_bytes_before_a_break_arrive_whatever_delays_them(
        delays in vec(delaying_fault(), 0..4),
        place in any::<prop::sample::Index>(),
        after in 0_u64..40_000,
        is_graceful in any::<bool>(),
        chunks in vec(1_usize..30_000, 2..10),
    ) {
        let total: usize = chunks.iter().sum();
        let fault = if is_graceful { Fault::close(after, "client", "server") } else { Fault::reset(after, "client", "server") };
        // Faults that begin together keep their order, so the break acts before or behind the others.
        let mut faults: Vec<Fault> = delays.into_iter().map(|fault| fault.at(millis(0))).collect();
        let own = place.index(faults.len() + 1);
        faults.insert(own, fault.one_way().lasting(secs(200)));
        let got = Seen::default();
        let server = sharing(&got, |cx, seen| async move {
            let (mut stream, _) = cx.listener(80).accept().await?;
            let (mut bytes, mut buffer) = (Vec::new(), vec![0; 100_000]);
            let end = loop {
                match stream.read(&mut buffer).await {
                    Ok(0) => break "end".to_owned(),
                    Ok(length) => bytes.extend_from_slice(&buffer[..length]),
                    Err(error) => break format!("{:?}", error.kind()),
                }
            };
            assert!(bytes == numbered(0..bytes.len()));
            note(&seen, &cx, format!("{} {end}", bytes.len()));
            std::future::pending().await
        });
        let client = move |cx: HostContext, _: Seen| {
            let chunks = chunks.clone();
            async move {
                let mut stream = cx.connector().connect("server", 80).await.unwrap();
                let mut number = 0;
                for length in chunks {
                    if stream.write_all(&numbered(number..number + length)).await.is_err() {
                        break;
                    }
                    number += length;
                    tokio::time::sleep(millis(5)).await;
                }
                let _ = stream.shutdown().await;
                tokio::time::sleep(secs(150)).await;
            }
        };
        let (run, _) = world_with(20, faults, server, client, |s| s);
        let breaks = total as u64 >= after;
        let end = if breaks && !is_graceful { "ConnectionReset" } else { "end" };
        let expected = format!("{} {end}", after.min(total as u64));
        prop_assert!(saw(&got, &expected), "{} not in {:?}", expected, got);
        let own = run.outcome.fault_effects[own];
        prop_assert_eq!(own, u64::from(breaks));
    }
}
