//! What faults of connections and of the bytes on them do, as both ends see it, to the byte and to the millisecond.

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::timeout;

use super::*;

/// Waits until this time of the run.
async fn until(cx: &HostContext, ms: u64) {
    tokio::time::sleep(millis(ms).saturating_sub(cx.elapsed())).await;
}

/// Accepts on port 80 and notes, for each connection by number, what arrives when and how it ends. Says nothing.
fn recorder(seen: &Seen) -> impl Fn(HostContext) -> std::pin::Pin<Box<dyn Future<Output = io::Result<()>>>> + use<> {
    let seen = seen.clone();
    move |cx: HostContext| {
        let seen = seen.clone();
        Box::pin(async move {
            let mut listener = cx.listener(80);
            for number in 0.. {
                let (stream, _) = listener.accept().await?;
                let (cx, seen) = (cx.clone(), seen.clone());
                tokio::spawn(async move { record(stream, &cx, &seen, number).await });
            }
            Ok(())
        })
    }
}

/// Reads to the end and notes what comes, and how it ends.
async fn record(mut stream: TcpStream, cx: &HostContext, seen: &Seen, number: u32) -> TcpStream {
    let mut buffer = [0; 1_000];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => note(seen, cx, format!("{number}: end")),
            Ok(length) => {
                note(seen, cx, format!("{number}: {}", String::from_utf8_lossy(&buffer[..length])));
                continue;
            }
            Err(error) => note(seen, cx, format!("{number}: {:?}", error.kind())),
        }
        return stream;
    }
}

/// What was seen, with times in whole milliseconds.
fn listed(seen: &Seen) -> Vec<(String, u64)> {
    seen.lock().unwrap().iter().map(|(what, at)| (what.clone(), at.as_millis() as u64)).collect()
}

fn expect(seen: &Seen, expected: &[(&str, u64)]) {
    let seen = listed(seen);
    let fits =
        |((what, at), (expected, due)): (&(String, u64), &(&str, u64))| what == expected && at.abs_diff(*due) <= 1;
    assert!(seen.len() == expected.len() && seen.iter().zip(expected).all(fits), "{seen:?}");
}

async fn reads_reset(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_reset_in_the_middle_of_a_request_reaches_both_ends_after_exactly_its_bytes() {
    let got = Seen::default();
    let fault = Fault::reset(5, "client", "server").one_way().at(secs(1)).lasting(secs(2));
    let client = |cx: HostContext, seen: Seen| async move {
        let connect = || async { cx.connector().connect("server", 80).await.unwrap() };
        let (mut first, mut second, mut third) = (connect().await, connect().await, connect().await);
        first.write_all(b"before").await.unwrap();
        until(&cx, 1_500).await;
        first.write_all(b"abc").await.unwrap();
        first.write_all(b"defgh").await.unwrap();
        first.write_all(b"lost").await.unwrap();
        reads_reset(&mut first).await;
        note(&seen, &cx, "first");
        assert_eq!(first.write(b"more").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        // Fewer bytes than that are not met.
        third.write_all(b"few").await.unwrap();
        until(&cx, 2_000).await;
        // What was sent before it began does not count, and a connection that ends in time is not met.
        second.write_all(b"all 5").await.unwrap();
        reads_reset(&mut second).await;
        note(&seen, &cx, "second");
        until(&cx, 3_500).await;
        third.write_all(b"many bytes more").await.unwrap();
        third.shutdown().await.unwrap();
    };
    let (run, seen) = world_with(20, vec![fault], recorder(&got), client, |s| s);
    expect(&seen, &[("first", 1_520), ("second", 2_020)]);
    expect(
        &got,
        &[
            ("0: before", 140),
            ("0: abcde", 1_520),
            ("0: ConnectionReset", 1_520),
            ("2: few", 1_540),
            ("1: all 5", 2_020),
            ("1: ConnectionReset", 2_020),
            ("2: many bytes more", 3_520),
            ("2: end", 3_520),
        ],
    );
    assert_eq!(run.outcome.fault_bites, vec![2]);
}

#[test]
fn a_reset_in_the_middle_of_an_answer_befalls_new_connections_too_until_it_is_over() {
    let fault = Fault::reset(3, "server", "client").one_way().at(secs(1)).lasting(secs(2));
    let (run, seen) = world(20, vec![fault], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        ping(&mut stream).await.unwrap();
        until(&cx, 1_500).await;
        stream.write_all(b"abcdef").await.unwrap();
        record(stream, &cx, &seen, 0).await;
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(b"ghijkl").await.unwrap();
        record(stream, &cx, &seen, 1).await;
        until(&cx, 3_000).await;
        ping(&mut cx.connector().connect("server", 80).await.unwrap()).await.unwrap();
        note(&seen, &cx, "well");
    });
    expect(
        &seen,
        &[
            ("0: abc", 1_540),
            ("0: ConnectionReset", 1_540),
            ("1: ghi", 1_620),
            ("1: ConnectionReset", 1_620),
            ("well", 3_080),
        ],
    );
    assert_eq!(run.outcome.fault_bites, vec![2]);
}

#[test]
fn a_reset_after_nothing_loses_the_whole_message_either_way() {
    for (from, to) in [("client", "server"), ("server", "client")] {
        let fault = Fault::reset(0, from, to).at(secs(1)).lasting(secs(2));
        let got = Seen::default();
        let client = |cx: HostContext, _: Seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            until(&cx, 1_500).await;
            stream.write_all(b"abc").await.unwrap();
            reads_reset(&mut stream).await;
        };
        let (run, _) = world_with(20, vec![fault], recorder(&got), client, |s| s);
        expect(&got, &[("0: ConnectionReset", 1_520)]);
        assert_eq!(run.outcome.fault_bites, vec![1]);
    }
}

#[test]
fn a_cut_ends_the_stream_at_both_ends_and_resets_whoever_writes_on() {
    let got = Seen::default();
    let shared = got.clone();
    let server = move |cx: HostContext| {
        let seen = shared.clone();
        async move {
            let mut listener = cx.listener(80);
            let (stream, _) = listener.accept().await?;
            let mut stream = record(stream, &cx, &seen, 0).await;
            until(&cx, 2_500).await;
            stream.write_all(b"an answer").await.unwrap();
            let stream = record(stream, &cx, &seen, 0).await;
            drop(stream);
            echo(listener).await
        }
    };
    let fault = Fault::cut(6, "client", "server").one_way().at(secs(1)).lasting(secs(1));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        stream.write_all(b"a long body").await.unwrap();
        let mut stream = record(stream, &cx, &seen, 0).await;
        // The fault is over, and the connection is as broken as before.
        until(&cx, 2_200).await;
        stream.write_all(b"more of it").await.unwrap();
        tokio::time::sleep(millis(15)).await;
        assert!(stream.write(b"and more").await.is_ok(), "the reset takes a latency");
        tokio::time::sleep(millis(6)).await;
        assert_eq!(stream.write(b"!").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        until(&cx, 2_600).await;
        ping(&mut cx.connector().connect("server", 80).await.unwrap()).await.unwrap();
        note(&seen, &cx, "well");
    };
    let (run, seen) = world_with(20, vec![fault], server, client, |s| s);
    expect(&seen, &[("0: end", 1_520), ("well", 2_680)]);
    // The server writes to what seems to be half open, and is reset as well: its end of the stream was said before.
    expect(&got, &[("0: a long", 1_520), ("0: end", 1_520), ("0: end", 2_500)]);
    assert_eq!(run.outcome.fault_bites, vec![1]);
}

#[test]
fn a_stall_keeps_back_what_follows_in_order_and_lets_the_other_direction_pass() {
    let got = Seen::default();
    let shared = got.clone();
    let server = move |cx: HostContext| {
        let seen = shared.clone();
        async move {
            let (stream, _) = cx.listener(80).accept().await?;
            let (mut reading, mut writing) = stream.into_split();
            let own = cx.clone();
            tokio::spawn(async move {
                until(&own, 2_000).await;
                writing.write_all(b"hello").await.unwrap();
                until(&own, 8_000).await;
            });
            let mut buffer = [0; 100];
            while let length @ 1.. = reading.read(&mut buffer).await? {
                note(&seen, &cx, String::from_utf8_lossy(&buffer[..length]));
            }
            note(&seen, &cx, "end");
            std::future::pending().await
        }
    };
    let fault = Fault::stall(4, "client", "server").one_way().at(secs(1)).lasting(secs(2));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(b"before").await.unwrap();
        until(&cx, 1_500).await;
        stream.write_all(b"headbody").await.unwrap();
        stream.write_all(b" and").await.unwrap();
        until(&cx, 1_700).await;
        stream.write_all(b" more").await.unwrap();
        stream.read_exact(&mut [0; 5]).await.unwrap();
        note(&seen, &cx, "hello");
        until(&cx, 2_995).await;
        stream.write_all(b", late").await.unwrap();
        stream.shutdown().await.unwrap();
        until(&cx, 9_000).await;
    };
    let (run, seen) = world_with(20, vec![fault], server, client, |s| s);
    expect(&seen, &[("hello", 2_020)]);
    expect(&got, &[("before", 60), ("head", 1_520), ("body and more", 3_000), (", late", 3_015), ("end", 3_015)]);
    assert_eq!(run.outcome.fault_bites, vec![5], "the rest of one segment, three more, and the end");
}

#[test]
fn a_stalled_connection_is_granted_and_silent_in_each_direction() {
    let fault = Fault::stall(0, "client", "server").at(secs(1)).lasting(secs(2));
    let (_, seen) = world(20, vec![fault], |cx, seen| async move {
        until(&cx, 1_500).await;
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "connected");
        assert!(timeout(secs(1), ping(&mut stream)).await.is_err());
        stream.read_exact(&mut [0; 4]).await.unwrap();
        note(&seen, &cx, "answered");
    });
    expect(&seen, &[("connected", 1_540), ("answered", 3_020)]);
}

#[test]
fn a_drip_lets_a_few_bytes_through_at_a_time_across_segments_and_the_rest_at_its_end() {
    let got = Seen::default();
    let fault = Fault::drip(4, millis(100), "client", "server").one_way().at(secs(1)).lasting(millis(1_000));
    let client = |cx: HostContext, _: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        stream.write_all(b"0123456").await.unwrap();
        stream.write_all(b"78").await.unwrap();
        until(&cx, 1_600).await;
        stream.write_all(b"9abcdefghijkl").await.unwrap();
        stream.shutdown().await.unwrap();
        until(&cx, 5_000).await;
    };
    let (run, _) = world_with(20, vec![fault], recorder(&got), client, |s| s);
    // What is there at the same time is read at once.
    expect(
        &got,
        &[
            ("0: 0123", 1_520),
            ("0: 4567", 1_620),
            ("0: 89ab", 1_720),
            ("0: cdef", 1_820),
            ("0: ghij", 1_920),
            ("0: kl", 2_000),
            ("0: end", 2_000),
        ],
    );
    assert_eq!(run.outcome.fault_bites, vec![3]);
}

/// Which bits differ.
fn differing(a: &[u8], b: &[u8]) -> Vec<usize> {
    assert_eq!(a.len(), b.len());
    (0..a.len() * 8).filter(|bit| (a[bit / 8] ^ b[bit / 8]) >> (bit % 8) & 1 == 1).collect()
}

#[test]
fn a_flip_changes_one_bit_behind_a_head_and_nothing_when_it_is_over() {
    const MESSAGES: [&[u8]; 4] = [
        b"any bytes",
        b"POST /a HTTP/1.1\r\nhost: b\r\n\r\nbody",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: b",
    ];
    let fault = Fault::flip(1.0, "client", "server").one_way().at(secs(1)).lasting(secs(2));
    let (run, seen) = world(20, vec![fault], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        for begins in [1_500, 3_500] {
            until(&cx, begins).await;
            for message in MESSAGES {
                stream.write_all(message).await.unwrap();
                let mut answer = vec![0; message.len()];
                stream.read_exact(&mut answer).await.unwrap();
                note(&seen, &cx, differing(message, &answer).len());
                if let Some(bit) = differing(message, &answer).first() {
                    assert!(message.len() < 20 || *bit >= (message.len() - 4) * 8, "{bit}");
                }
            }
        }
    });
    let counts: Vec<String> = listed(&seen).into_iter().map(|(count, _)| count).collect();
    assert_eq!(counts, ["1", "1", "0", "0", "0", "0", "0", "0"]);
    assert_eq!(run.outcome.fault_bites, vec![2]);
}

#[test]
fn the_rate_of_flips_is_that_of_segments_and_keyed() {
    let flipped = |mut faults: Vec<Fault>| {
        faults.insert(0, Fault::flip(0.1, "client", "server").one_way().lasting(secs(150)));
        let (_, seen) = world(20, faults, |cx, seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            for number in 0..1_000 {
                stream.write_all(b"ping").await.unwrap();
                let mut answer = [0; 4];
                stream.read_exact(&mut answer).await.unwrap();
                if let Some(bit) = differing(b"ping", &answer).first() {
                    note(&seen, &cx, format!("{number} {bit}"));
                }
            }
        });
        listed(&seen).into_iter().map(|(what, _)| what).collect::<Vec<_>>()
    };
    let alone = flipped(vec![]);
    assert!((70..=130).contains(&alone.len()), "{} of 1,000 at 10 %", alone.len());
    // Other faults, of another rate too, leave each flip where it was.
    let with_others = vec![
        Fault::drip(1, millis(2), "client", "server").lasting(secs(9)),
        Fault::loss(0.05, "client", "server").at(secs(3)).lasting(secs(9)),
        Fault::flip(0.05, "client", "server").one_way().lasting(secs(150)),
    ];
    assert_eq!(flipped(with_others), alone);
}

#[test]
fn idle_connections_are_closed_at_both_ends_and_busy_ones_are_not() {
    let got = Seen::default();
    let shared = got.clone();
    let server = move |cx: HostContext| {
        let seen = shared.clone();
        async move {
            let mut listener = cx.listener(80);
            // The first reads nothing until late: bytes are left unread.
            let (unread, _) = listener.accept().await?;
            let own = cx.clone();
            let late = seen.clone();
            tokio::spawn(async move {
                until(&own, 2_000).await;
                record(unread, &own, &late, 0).await;
            });
            let (idle, _) = listener.accept().await?;
            tokio::spawn(async move { record(idle, &cx, &seen, 1).await });
            echo(listener).await
        }
    };
    let fault = Fault::close_idle(millis(500), "client", "server").at(secs(1)).lasting(secs(4));
    let client = |cx: HostContext, seen: Seen| async move {
        let connect = || async { cx.connector().connect("server", 80).await.unwrap() };
        let (mut unread, mut idle, mut busy) = (connect().await, connect().await, connect().await);
        unread.write_all(b"unread").await.unwrap();
        idle.write_all(b"read").await.unwrap();
        let own = cx.clone();
        let pinging = tokio::spawn(async move {
            for begins in (190..3_000).step_by(200) {
                until(&own, begins).await;
                ping(&mut busy).await.unwrap();
            }
            record(busy, &own, &seen, 2).await;
            seen
        });
        let own_seen = Seen::default();
        let mut idle = record(idle, &cx, &own_seen, 1).await;
        // As if the other end had closed it at 1 s.
        expect(&own_seen, &[("1: end", 1_020)]);
        until(&cx, 1_200).await;
        assert!(idle.write(b"once more").await.is_ok());
        tokio::time::sleep(millis(21)).await;
        assert_eq!(idle.write(b"once more").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        record(unread, &cx, &own_seen, 0).await;
        let seen = pinging.await.unwrap();
        seen.lock().unwrap().extend(own_seen.lock().unwrap().iter().cloned());
        until(&cx, 5_100).await;
        let mut after = connect().await;
        until(&cx, 9_000).await;
        ping(&mut after).await.unwrap();
        note(&seen, &cx, "well");
    };
    let (run, seen) = world_with(20, vec![fault], server, client, |s| s);
    // The one that is read at 2 s has been idle since; the last ping of the other is over at 3.03 s.
    let expected = [("2: end", 3_550), ("1: end", 1_020), ("0: end", 2_520), ("well", 9_040)];
    for ((what, at), (expected, due)) in listed(&seen).iter().zip(expected) {
        assert!(what == expected && (due..=due + 1).contains(at), "{:?}", listed(&seen));
    }
    assert_eq!(seen.lock().unwrap().len(), 4);
    assert_eq!(listed(&got)[0], ("1: read".to_owned(), 140));
    assert_eq!(listed(&got)[1], ("1: end".to_owned(), 1_020));
    assert!(saw(&got, "0: unread") && saw(&got, "0: end"));
    assert_eq!(run.outcome.fault_bites, vec![3]);
}

#[test]
fn one_way_it_closes_only_what_the_first_side_opened() {
    let fault = Fault::close_idle(secs(9), "server", "client").one_way().at(secs(1)).lasting(secs(4));
    let (run, seen) = world(20, vec![fault], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 2_000).await;
        ping(&mut stream).await.unwrap();
        note(&seen, &cx, "answered");
    });
    expect(&seen, &[("answered", 2_040)]);
    assert_eq!(run.outcome.fault_bites, vec![0]);
}

#[test]
fn a_half_open_connection_is_reset_when_the_believer_sends() {
    let got = Seen::default();
    let fault = Fault::half_open("client", "server").at(secs(1));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(b"before").await.unwrap();
        until(&cx, 1_200).await;
        let mut other = cx.connector().connect("server", 80).await.unwrap();
        assert!(timeout(millis(800), stream.read(&mut [0; 16])).await.is_err(), "it believes");
        note(&seen, &cx, "believes");
        stream.write_all(b"hello?").await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
        other.write_all(b"new").await.unwrap();
        other.shutdown().await.unwrap();
    };
    let (run, seen) = world_with(20, vec![fault], recorder(&got), client, |s| s);
    let believes = at(&seen, "believes");
    assert_between(at(&seen, "reset") - believes, 40, 41);
    let (new, reset) = (at(&got, "1: new"), at(&got, "0: ConnectionReset"));
    assert_between(reset, 1_000, 1_001);
    assert_between(new - believes, 60, 62);
    assert!(saw(&got, "0: before") && !saw(&got, "0: hello?"));
    assert_eq!(run.outcome.fault_bites, vec![1]);
}

#[test]
fn a_half_open_connection_of_the_listening_side_is_met_the_same_way() {
    let got = Seen::default();
    let shared = got.clone();
    let server = move |cx: HostContext| {
        let seen = shared.clone();
        async move {
            let (mut stream, _) = cx.listener(80).accept().await?;
            until(&cx, 1_500).await;
            stream.write_all(b"anybody?").await.unwrap();
            record(stream, &cx, &seen, 0).await;
            std::future::pending().await
        }
    };
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
    };
    let fault = Fault::half_open("server", "client").at(secs(1));
    let (_, seen) = world_with(20, vec![fault], server, client, |s| s);
    expect(&seen, &[("reset", 1_000)]);
    expect(&got, &[("0: ConnectionReset", 1_540)]);
}

/// How many bytes a stream takes at once, by single writes, until it takes no more.
async fn fill(stream: &mut TcpStream) -> usize {
    let mut taken = 0;
    loop {
        match futures::poll!(std::pin::pin!(stream.write(&[7; 1 << 20]))) {
            std::task::Poll::Ready(length) => taken += length.unwrap(),
            std::task::Poll::Pending => return taken,
        }
    }
}

#[test]
fn short_reads_and_writes_are_short_only_while_they_last() {
    let faults = vec![
        Fault::short_reads("client", 3).at(secs(1)).lasting(secs(2)),
        Fault::short_writes("client", 2).at(secs(1)).lasting(secs(2)),
        // The shorter counts.
        Fault::short_writes("client", 5).at(secs(1)).lasting(secs(3)),
    ];
    let (run, seen) = world(20, faults, |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        for begins in [500, 1_500, 3_500, 4_500] {
            until(&cx, begins).await;
            let slices = [io::IoSlice::new(b"a"), io::IoSlice::new(b"bcd"), io::IoSlice::new(b"efgh")];
            let written = stream.write_vectored(&slices).await.unwrap();
            stream.write_all(&b"abcdefgh"[written..]).await.unwrap();
            tokio::time::sleep(millis(100)).await;
            let mut buffer = [0; 100];
            let (mut answer, mut reads) = (Vec::new(), Vec::new());
            while answer.len() < 8 {
                let length = stream.read(&mut buffer).await.unwrap();
                reads.push(length);
                answer.extend_from_slice(&buffer[..length]);
            }
            assert_eq!(answer, b"abcdefgh");
            note(&seen, &cx, format!("{written} {reads:?}"));
        }
        note(&seen, &cx, "done");
    });
    let what: Vec<String> = listed(&seen).into_iter().map(|(what, _)| what).collect();
    assert_eq!(what, ["8 [8]", "2 [3, 3, 2]", "5 [8]", "8 [8]", "done"]);
    // Two reads and three writes were cut short, and one write by the other.
    assert_eq!(run.outcome.fault_bites, vec![2, 3, 1]);
}

#[test]
fn a_small_window_stops_the_writer_after_its_bytes_until_the_reader_reads() {
    let server = |cx: HostContext| async move {
        let (mut stream, _) = cx.listener(80).accept().await?;
        until(&cx, 2_000).await;
        // Half of the window is worth to be told of.
        stream.read_exact(&mut [0; 499]).await?;
        until(&cx, 2_100).await;
        stream.read_exact(&mut [0; 1]).await?;
        until(&cx, 9_000).await;
        let mut rest = vec![0; 1 << 20];
        note_rest(&mut stream, &mut rest).await
    };
    let fault = Fault::small_window("server", 1_000).at(secs(1)).lasting(secs(2));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        assert_eq!(fill(&mut stream).await, 1_000);
        let taken = stream.write(&[7; 10_000]).await.unwrap();
        note(&seen, &cx, taken);
        let taken = stream.write(&[7; 10_000]).await.unwrap();
        note(&seen, &cx, taken);
        let rest = fill(&mut stream).await;
        note(&seen, &cx, 1_500 + taken + rest);
    };
    let (run, seen) = world_with(20, vec![fault], server, client, |s| s);
    // Of what was read, 500 bytes are told of; all the rest of the window when the fault is over.
    expect(&seen, &[("500", 2_120), ("10000", 3_000), ("262644", 3_000)]);
    assert!(run.outcome.fault_bites[0] >= 2);
}

/// A connection to a host whose window changes at these times, as lists of beginning, length and size; what is written and
/// read meanwhile is drawn, too. Then the windows are as they were: they are filled twice, and the reader reads it all.
fn fill_after(windows: &[(u64, u64, u64)], chunks: &[(u64, usize)], reads: &[(u64, usize)]) -> [usize; 2] {
    let faults = windows.iter().map(|(begins, lasting, bytes)| {
        Fault::small_window("server", *bytes).at(millis(*begins)).lasting(millis(*lasting))
    });
    let reads = reads.to_vec();
    let server = move |cx: HostContext| {
        let reads = reads.clone();
        async move {
            let (mut stream, _) = cx.listener(80).accept().await?;
            let mut buffer = vec![0; 1 << 20];
            for (begins, length) in reads {
                until(&cx, begins).await;
                let _ = futures::poll!(std::pin::pin!(stream.read(&mut buffer[..length])));
            }
            // Drains all, then waits until the window has been filled, and takes all at once.
            until(&cx, 12_000).await;
            while timeout(millis(500), stream.read(&mut buffer)).await.is_ok() {}
            until(&cx, 20_000).await;
            let all = stream.read(&mut buffer).await?;
            stream.write_all(&(all as u32).to_le_bytes()).await?;
            std::future::pending().await
        }
    };
    let chunks = chunks.to_vec();
    let client = move |cx: HostContext, seen: Seen| {
        let chunks = chunks.clone();
        async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            for (begins, length) in chunks {
                until(&cx, begins).await;
                let _ = timeout(millis(100), stream.write_all(&vec![1; length])).await;
            }
            until(&cx, 18_000).await;
            let first = fill(&mut stream).await;
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(u32::from_le_bytes(answer) as usize, first);
            tokio::time::sleep(millis(100)).await;
            let second = fill(&mut stream).await;
            seen.lock().unwrap().push((format!("{first} {second}"), cx.elapsed()));
        }
    };
    let short = |scenario: Scenario| scenario.run_for(secs(25)).settle_for(secs(1));
    let (_, seen) = world_with(20, faults.collect(), server, client, short);
    let seen = listed(&seen);
    let (first, second) = seen[0].0.split_once(' ').unwrap();
    [first.parse().unwrap(), second.parse().unwrap()]
}

const WINDOW: usize = 256 * 1024;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_small_windows_all_of_the_window_is_there_again(
        windows in vec((0_u64..9_000, 1_u64..4_000, prop_oneof![1_u64..5_000, 1_u64..600_000]), 0..4),
        mut chunks in vec((100_u64..9_000, 1_usize..400_000), 0..8),
        mut reads in vec((100_u64..9_000, 1_usize..400_000), 0..8),
    ) {
        chunks.sort();
        reads.sort();
        let [first, second] = fill_after(&windows, &chunks, &reads);
        // Less than half of the window may have been read without a word to the sender.
        prop_assert!((WINDOW / 2 + 1..=WINDOW).contains(&first), "{}", first);
        prop_assert_eq!(second, WINDOW);
    }

    #[test]
    fn whatever_delays_a_stream_its_bytes_arrive_whole_and_in_order(
        faults in vec(delaying_fault(), 1..6),
        chunks in vec((0_u64..100, 1_usize..30_000), 1..40),
    ) {
        let sent: Vec<u8> =
            (0..chunks.iter().map(|(_, length)| length).sum::<usize>()).map(|number| (number % 251) as u8).collect();
        let got = Seen::default();
        let shared = got.clone();
        let expected = sent.clone();
        let server = move |cx: HostContext| {
            let (seen, expected) = (shared.clone(), expected.clone());
            async move {
                let (mut stream, _) = cx.listener(80).accept().await?;
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).await?;
                note(&seen, &cx, if bytes == expected { "all" } else { "something else" });
                stream.write_all(b"done").await?;
                Ok(())
            }
        };
        let client = move |cx: HostContext, seen: Seen| {
            let (chunks, mut rest) = (chunks.clone(), sent.clone());
            async move {
                let mut stream = cx.connector().connect("server", 80).await.unwrap();
                for (pause, length) in chunks {
                    tokio::time::sleep(millis(pause)).await;
                    let after = rest.split_off(length);
                    stream.write_all(&rest).await.unwrap();
                    rest = after;
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

/// Any fault that delays and does not break, at a time of the first seconds, one way or both.
fn delaying_fault() -> impl Strategy<Value = Fault> {
    let (client, server) = ("client", "server");
    let kind = prop_oneof![
        (0_u64..50_000).prop_map(move |bytes| Fault::stall(bytes, client, server)),
        (1_u64..2_000, 1_u64..100).prop_map(move |(bytes, every)| Fault::drip(bytes, millis(every), client, server)),
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

async fn note_rest(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    while stream.read(buffer).await? > 0 {}
    std::future::pending().await
}
