//! Connections that are closed while idle, and connections that only one side still believes to be open.

use super::*;

#[test]
fn idle_connections_are_closed_at_both_ends_and_busy_ones_are_not() {
    let got = Seen::default();
    let server = sharing(&got, |cx, seen| async move {
        let listener = cx.listener(80);
        // The first connection is read late, so bytes are left unread.
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
    });
    let fault = fault::close_idle(millis(500), "client", "server").at(secs(1)).lasting(secs(4));
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
        assert_eq!(idle.write(b"once more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
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
    // The first connection is idle from its read at 2 s on; the last ping of the busy one ends at 3.03 s.
    let expected = [("2: end", 3_550), ("1: end", 1_020), ("0: end", 2_520), ("well", 9_040)];
    for ((what, at), (expected, due)) in listed(&seen).iter().zip(expected) {
        assert!(what == expected && (due..=due + 1).contains(at), "{:?}", listed(&seen));
    }
    assert_eq!(seen.lock().unwrap().len(), 4);
    assert_eq!(listed(&got)[0], ("1: read".to_owned(), 140));
    assert_eq!(listed(&got)[1], ("1: end".to_owned(), 1_020));
    assert!(saw(&got, "0: unread") && saw(&got, "0: end"));
    assert_eq!(run.outcome.fault_effects, vec![3]);
}

#[test]
fn close_idle_one_way_closes_only_connections_that_the_first_side_opened() {
    let fault = fault::close_idle(secs(9), "server", "client").one_way().at(secs(1)).lasting(secs(4));
    let (run, seen) = world(20, vec![fault], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 2_000).await;
        ping(&mut stream).await.unwrap();
        note(&seen, &cx, "answered");
    });
    expect(&seen, &[("answered", 2_040)]);
    assert_eq!(run.outcome.fault_effects, vec![0]);
}

#[test]
fn a_half_open_connection_is_reset_when_the_unaware_side_sends() {
    let got = Seen::default();
    let fault = fault::half_open("client", "server").at(secs(1));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(b"before").await.unwrap();
        until(&cx, 1_200).await;
        let mut other = cx.connector().connect("server", 80).await.unwrap();
        assert!(timeout(millis(800), stream.read(&mut [0; 16])).await.is_err(), "the client is unaware");
        note(&seen, &cx, "unaware");
        stream.write_all(b"hello?").await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
        other.write_all(b"new").await.unwrap();
        other.shutdown().await.unwrap();
    };
    let (run, seen) = world_with(20, vec![fault], sharing(&got, record_all), client, |s| s);
    let unaware = at(&seen, "unaware");
    assert_between(at(&seen, "reset") - unaware, 40, 41);
    let (new, reset) = (at(&got, "1: new"), at(&got, "0: ConnectionReset"));
    assert_between(reset, 1_000, 1_001);
    assert_between(new - unaware, 60, 62);
    assert!(saw(&got, "0: before") && !saw(&got, "0: hello?"));
    assert_eq!(run.outcome.fault_effects, vec![1]);
}

#[test]
fn half_open_also_affects_connections_whose_listening_side_is_unaware() {
    let got = Seen::default();
    let server = sharing(&got, |cx, seen| async move {
        let (mut stream, _) = cx.listener(80).accept().await?;
        until(&cx, 1_500).await;
        stream.write_all(b"anybody?").await.unwrap();
        record(stream, &cx, &seen, 0).await;
        std::future::pending().await
    });
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
    };
    let fault = fault::half_open("server", "client").at(secs(1));
    let (_, seen) = world_with(20, vec![fault], server, client, |s| s);
    expect(&seen, &[("reset", 1_000)]);
    expect(&got, &[("0: ConnectionReset", 1_540)]);
}
