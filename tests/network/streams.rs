//! Faults of connections and of the bytes on them, as both ends see them, exact to the byte and to the millisecond.

#[path = "streams/content.rs"]
mod content;
#[path = "streams/drawn.rs"]
mod drawn;
#[path = "streams/http.rs"]
mod http;
#[path = "streams/idle.rs"]
mod idle;
#[path = "streams/order.rs"]
mod order;
#[path = "streams/windows.rs"]
mod windows;

use tokio::time::timeout;

use super::*;

/// Accepts on port 80 and notes, for each connection by number, what arrives, when, and how it ends. Sends nothing.
async fn record_all(cx: HostContext, seen: Seen) -> io::Result<()> {
    let listener = cx.listener(80);
    for number in 0.. {
        let (stream, _) = listener.accept().await?;
        let (cx, seen) = (cx.clone(), seen.clone());
        tokio::spawn(async move { record(stream, &cx, &seen, number).await });
    }
    Ok(())
}

/// Reads to the end, and notes what arrives and how the stream ends.
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

/// The observations, with times in whole milliseconds.
fn listed(seen: &Seen) -> Vec<(String, u64)> {
    seen.lock().unwrap().iter().map(|(what, at)| (what.clone(), at.as_millis() as u64)).collect()
}

fn expect(seen: &Seen, expected: &[(&str, u64)]) {
    let seen = listed(seen);
    let fits =
        |((what, at), (expected, due)): (&(String, u64), &(&str, u64))| what == expected && at.abs_diff(*due) <= 1;
    assert!(seen.len() == expected.len() && seen.iter().zip(expected).all(fits), "{seen:?}");
}

/// Asserts that a stream on which bytes were just sent takes more bytes at `from_ms`, while the reset is in flight, and
/// none at `to_ms`.
async fn writes_reset_between(stream: &mut TcpStream, from_ms: u64, to_ms: u64) {
    tokio::time::sleep(millis(from_ms)).await;
    assert!(stream.write(b"and more").await.is_ok(), "the reset takes one latency");
    tokio::time::sleep(millis(to_ms - from_ms)).await;
    assert_eq!(stream.write(b"!").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_reset_in_the_middle_of_a_request_reaches_both_ends_after_exactly_its_bytes() {
    let got = Seen::default();
    let fault = fault::reset(5, "client", "server").one_way().at(secs(1)).lasting(secs(2));
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
        assert_eq!(first.write(b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        // Fewer bytes than the fault waits for do not break a connection.
        third.write_all(b"few").await.unwrap();
        until(&cx, 2_000).await;
        // Only bytes sent during the fault count, and exactly as many as it waits for suffice.
        second.write_all(b"all 5").await.unwrap();
        reads_reset(&mut second).await;
        note(&seen, &cx, "second");
        until(&cx, 3_500).await;
        third.write_all(b"many bytes more").await.unwrap();
        third.shutdown().await.unwrap();
    };
    let (run, seen) = world_with(20, vec![fault], sharing(&got, record_all), client, |s| s);
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
    assert_eq!(run.outcome.fault_effects, vec![2]);
}

#[test]
fn a_reset_in_the_middle_of_an_answer_affects_new_connections_too_until_it_ends() {
    let fault = fault::reset(3, "server", "client").one_way().at(secs(1)).lasting(secs(2));
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
    assert_eq!(run.outcome.fault_effects, vec![2]);
}

#[test]
fn a_reset_after_zero_bytes_loses_the_whole_message_either_way() {
    for (from, to) in [("client", "server"), ("server", "client")] {
        let fault = fault::reset(0, from, to).at(secs(1)).lasting(secs(2));
        let got = Seen::default();
        let client = |cx: HostContext, _: Seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            until(&cx, 1_500).await;
            stream.write_all(b"abc").await.unwrap();
            reads_reset(&mut stream).await;
        };
        let (run, _) = world_with(20, vec![fault], sharing(&got, record_all), client, |s| s);
        expect(&got, &[("0: ConnectionReset", 1_520)]);
        assert_eq!(run.outcome.fault_effects, vec![1]);
    }
}

#[test]
fn a_close_ends_the_stream_at_both_ends_and_resets_later_writers() {
    let got = Seen::default();
    let server = sharing(&got, |cx, seen| async move {
        let listener = cx.listener(80);
        let (stream, _) = listener.accept().await?;
        let mut stream = record(stream, &cx, &seen, 0).await;
        until(&cx, 2_500).await;
        stream.write_all(b"an answer").await.unwrap();
        let mut stream = record(stream, &cx, &seen, 0).await;
        writes_reset_between(&mut stream, 19, 21).await;
        echo(listener).await
    });
    let fault = fault::close(6, "client", "server").one_way().at(secs(1)).lasting(secs(1));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        stream.write_all(b"a long body").await.unwrap();
        let mut stream = record(stream, &cx, &seen, 0).await;
        // The fault is over, but the connection stays broken.
        until(&cx, 2_200).await;
        stream.write_all(b"more of it").await.unwrap();
        writes_reset_between(&mut stream, 15, 21).await;
        until(&cx, 2_600).await;
        ping(&mut cx.connector().connect("server", 80).await.unwrap()).await.unwrap();
        note(&seen, &cx, "well");
    };
    let (run, seen) = world_with(20, vec![fault], server, client, |s| s);
    expect(&seen, &[("0: end", 1_520), ("well", 2_680)]);
    // The server writes to a connection that seems half-closed, and is reset as well; its reads had ended before.
    expect(&got, &[("0: a long", 1_520), ("0: end", 1_520), ("0: end", 2_500)]);
    assert_eq!(run.outcome.fault_effects, vec![1]);
}

#[test]
fn a_stall_holds_later_bytes_in_order_and_lets_the_other_direction_pass() {
    let got = Seen::default();
    let server = sharing(&got, |cx, seen| async move {
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
    });
    let fault = fault::stall(4, "client", "server").one_way().at(secs(1)).lasting(secs(2));
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
    assert_eq!(run.outcome.fault_effects, vec![5], "the rest of one segment, three more, and the end");
}

#[test]
fn a_stalled_connection_is_accepted_and_silent_in_each_direction() {
    let fault = fault::stall(0, "client", "server").at(secs(1)).lasting(secs(2));
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
