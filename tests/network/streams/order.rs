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
        (0_u64..50_000).prop_map(move |bytes| fault::stall(bytes, client, server)),
        (1_u64..2_000, 1_u64..100).prop_map(move |(bytes, every)| fault::trickle(bytes, millis(every), client, server)),
        (0.0..0.3).prop_map(move |rate| fault::loss(rate, client, server)),
        (0_u64..300).prop_map(move |most| fault::latency(millis(0)..millis(most), client, server)),
        Just(fault::hold(client, server)),
        Just(fault::partition(client, server)),
        (1_u64..5_000).prop_map(move |bytes| fault::small_window(server, bytes)),
        (1_u64..500).prop_map(move |bytes| fault::short_reads(server, bytes)),
        (1_u64..500).prop_map(move |bytes| fault::short_writes(client, bytes)),
    ];
    (kind, 0_u64..3_000, 1_u64..5_000, any::<bool>()).prop_map(|(fault, begins, lasting, one_way)| {
        let fault = if one_way { fault.one_way() } else { fault };
        fault.at(millis(begins)).lasting(millis(lasting))
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
        breaks_after(delays, |faults| place.index(faults + 1), after, is_graceful, chunks);
    }
}

#[test]
fn a_window_that_grows_while_a_connection_is_made_wakes_its_writer() {
    let delays = vec![
        fault::partition("client", "server").at(millis(0)).lasting(millis(2_010)),
        fault::small_window("server", 1).at(millis(0)).lasting(millis(3_050)),
    ];
    breaks_after(delays, |_| 0, 2, false, vec![1, 1]);
}

/// Sends chunks over a connection that is closed or reset after so many bytes, under other faults among which the break has
/// this place, and asserts that exactly these bytes arrive and then the end.
fn breaks_after(delays: Vec<Fault>, place: impl Fn(usize) -> usize, after: u64, is_graceful: bool, chunks: Vec<usize>) {
    let total: usize = chunks.iter().sum();
    let fault =
        if is_graceful { fault::close(after, "client", "server") } else { fault::reset(after, "client", "server") };
    // Faults that begin together keep their order, so the break acts before or behind the others.
    let mut faults: Vec<Fault> =
        delays.into_iter().map(|fault| Fault { trigger: Trigger::At(millis(0)), ..fault }).collect();
    let own = place(faults.len());
    faults.insert(own, fault.one_way().at_start().lasting(secs(200)));
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
    assert!(saw(&got, &expected), "{expected} not in {got:?}");
    let own = run.outcome.fault_effects[own];
    assert_eq!(own, u64::from(breaks));
}
