//! The simulated kernels without faults of the network: windows, backlogs, ports, addresses.

use super::*;

#[test]
fn a_writer_waits_at_a_full_window_and_is_woken_when_its_peer_dies() {
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        let mut written = 0;
        let error = loop {
            match tokio::time::timeout(millis(500), stream.write(&[7; 1_000])).await {
                Ok(Ok(length)) => written += length,
                Ok(Err(error)) => break error,
                Err(_) if saw(&seen, "held back") => {}
                Err(_) => note(&seen, &cx, "held back"),
            }
        };
        assert_eq!(written, 256 * 1024);
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        note(&seen, &cx, "woken");
    };
    let (_, seen) =
        world_with(20, vec![on_server(fault::kinds::Kill {}, 5_000, 6_000)], accept_and_hold, client, |s| s);
    assert!(at(&seen, "held back") < secs(1));
    assert_between(at(&seen, "woken"), 5_020, 5_022);
}

#[test]
fn a_slow_reader_makes_room_one_latency_later() {
    let server = |cx: HostContext| async move {
        let listener = cx.listener(80);
        let (mut stream, _) = listener.accept().await?;
        tokio::time::sleep(secs(2)).await;
        let mut sink = vec![0; 1 << 20];
        stream.read_exact(&mut sink).await?;
        stream.write_all(b"all").await?;
        std::future::pending().await
    };
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(&vec![1; 1 << 20]).await.unwrap();
        note(&seen, &cx, "written");
        stream.read_exact(&mut [0; 3]).await.unwrap();
        note(&seen, &cx, "read");
    };
    let (_, seen) = world_with(20, vec![], server, client, |s| s);
    // Four windows of 256 KiB: the last one needs room that the reader makes from 2.04 s on.
    assert!(at(&seen, "written") > millis(2_050) && at(&seen, "written") < millis(2_300));
    assert!(at(&seen, "read") > at(&seen, "written"));
}

#[test]
fn connections_are_granted_before_accept_up_to_the_backlog_and_one_more() {
    let server = |cx: HostContext| async move {
        let listener = cx.listener(80);
        listener.bind()?;
        // The program does not accept for a while.
        tokio::time::sleep(secs(30)).await;
        echo(listener).await
    };
    let client = |cx: HostContext, seen: Seen| async move {
        tokio::time::sleep(millis(100)).await;
        let mut connections = Vec::new();
        for _ in 0..200 {
            let connector = cx.connector();
            connections.push(tokio::spawn(async move { connector.connect("server", 80).await }));
            // The handshake of each is complete before the next begins.
            tokio::time::sleep(millis(50)).await;
        }
        tokio::time::sleep(secs(10)).await;
        let early = connections.iter().filter(|connection| connection.is_finished()).count();
        note(&seen, &cx, format!("{early} early"));
        let mut all = 0;
        for connection in connections {
            ping(&mut connection.await.unwrap().unwrap()).await.unwrap();
            all += 1;
        }
        note(&seen, &cx, format!("{all} in the end"));
    };
    let (_, seen) = world_with(20, vec![], server, client, |s| s);
    assert!(saw(&seen, "129 early") && saw(&seen, "200 in the end"), "{seen:?}");
}

#[test]
fn a_dropped_connect_frees_its_port_and_running_out_of_ports_is_a_clear_error() {
    let client = |cx: HostContext, seen: Seen| async move {
        let connector = cx.connector();
        // More connects than there are ports, each of which is dropped at once.
        for _ in 0..40_000 {
            let connecting = connector.connect("server", 80);
            tokio::pin!(connecting);
            assert!(futures::poll!(connecting).is_pending());
        }
        let mut held = Vec::new();
        let error = loop {
            let mut connecting = Box::pin(connector.connect("server", 80));
            match futures::poll!(&mut connecting) {
                std::task::Poll::Pending => held.push(connecting),
                std::task::Poll::Ready(result) => break result.unwrap_err(),
            }
        };
        assert_eq!((held.len(), error.kind()), (28_232, io::ErrorKind::AddrNotAvailable));
        note(&seen, &cx, error);
    };
    let partition = vec![on_link(fault::kinds::Partition {}, 0, 1_000)];
    let (_, seen) =
        world_with(20, partition, |cx| echo(cx.listener(80)), client, |s| s.run_for(secs(1)).settle_for(millis(10)));
    assert!(
        saw(
            &seen,
            "client has no port left for another connection to port 80: 28232 are open or being opened, and 0 were closed \
             less than 60 s ago; reuse connections, or drop some of them"
        ),
        "{:?}",
        seen.lock().unwrap()
    );
}

/// One port of the client, but on two listeners of the server: connections to each have all ports.
#[test]
fn a_port_that_waits_is_free_for_another_destination() {
    let (_, seen) = world_with(
        20,
        vec![],
        |cx| async move {
            let again = cx.clone();
            tokio::spawn(async move { echo(again.listener(81)).await });
            echo(cx.listener(80)).await
        },
        |cx, seen| async move {
            let connector = cx.connector();
            for _ in 0..28_232 {
                drop(connector.connect("server", 80).await.unwrap());
            }
            let error = connector.connect("server", 80).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
            connector.connect("server", 81).await.unwrap();
            tokio::time::sleep(secs(61)).await;
            connector.connect("server", 80).await.unwrap();
            note(&seen, &cx, "all ports again");
        },
        // Each connect takes a round trip of the loopback-like link.
        |s| s.latency(millis(1)..millis(1)).step(millis(1)).run_for(secs(150)).settle_for(millis(10)),
    );
    assert!(saw(&seen, "all ports again"), "{:?}", seen.lock().unwrap());
}

#[test]
fn a_machine_reaches_itself_by_all_its_names_whatever_the_links_do() {
    let partition = vec![on_link(fault::kinds::Partition {}, 0, 1_000)];
    let client = |cx: HostContext, seen: Seen| async move {
        let all = cx.listener(0);
        let port = all.local_addr().unwrap().port();
        assert!((32_768..=60_999).contains(&port), "{port}");
        tokio::spawn(async move { echo(all).await });
        let own = [cx.address().to_string(), cx.address_v6().to_string()];
        for name in ["localhost", "127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::", "client", &own[0], &own[1]] {
            let mut stream = cx.connector().connect(name, port).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(stream.peer_addr().unwrap().is_ipv6(), name.contains(':'), "{name}");
            assert_eq!(stream.local_addr().unwrap().ip(), stream.peer_addr().unwrap().ip(), "{name}");
            stream.write_all(b"x").await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'x', "{name}");
        }
        note(&seen, &cx, format!("after {:?}", cx.elapsed() < millis(500)));
    };
    let (_, seen) = world_with(20, partition, |cx| echo(cx.listener(80)), client, |s| s);
    assert!(saw(&seen, "after true"), "{:?}", seen.lock().unwrap());
}

#[test]
fn a_listener_on_loopback_only_is_not_reached_from_outside() {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let server = |cx: HostContext| async move {
        let own = cx.clone();
        let taken = cx.listener(81);
        tokio::spawn(async move { echo(own.listener_on(Ipv4Addr::LOCALHOST, 80)).await });
        tokio::time::sleep(millis(1)).await;
        cx.connector().connect("localhost", 80).await.unwrap();
        for name in ["server", "::1"] {
            let refused = cx.connector().connect(name, 80).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "{name}");
        }
        taken.bind().unwrap();
        assert_eq!(cx.listener_on(Ipv6Addr::LOCALHOST, 81).bind().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let foreign = IpAddr::from([192, 168, 0, 77]);
        assert_eq!(cx.listener_on(foreign, 82).bind().unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
        // All addresses, given as such.
        echo(cx.listener_on(Ipv4Addr::UNSPECIFIED, 83)).await
    };
    let client = |cx: HostContext, seen: Seen| async move {
        tokio::time::sleep(millis(500)).await;
        note(&seen, &cx, cx.connector().connect("server", 80).await.unwrap_err().kind());
        let mut stream = cx.connector().connect("fd00::c0a8:1", 83).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        note(&seen, &cx, format!("{} to {}", stream.local_addr().unwrap().ip(), stream.peer_addr().unwrap().ip()));
    };
    let (_, seen) = world_with(20, vec![], server, client, |s| s);
    assert!(saw(&seen, "connection refused"), "{:?}", seen.lock().unwrap());
    assert!(saw(&seen, "fd00::c0a8:2 to fd00::c0a8:1"), "{:?}", seen.lock().unwrap());
}

#[test]
fn a_machine_can_talk_to_itself() {
    let (_, seen) = world_with(
        20,
        vec![],
        |cx| echo(cx.listener(80)),
        |cx, seen| async move {
            let own = cx.clone();
            tokio::spawn(async move { echo(own.listener(81)).await });
            tokio::time::sleep(millis(1)).await;
            let mut stream = cx.connector().connect("client", 81).await.unwrap();
            ping(&mut stream).await.unwrap();
            note(&seen, &cx, "answered");
        },
        |scenario| scenario,
    );
    assert!(at(&seen, "answered") < millis(10));
}

#[test]
fn unknown_names_and_closed_ports_are_clear_errors() {
    let (_, seen) = world(20, vec![], |cx, seen| async move {
        let error = cx.connector().connect("sever", 80).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::NotFound, "no host is named `sever`; add it to the scenario")
        );
        let error = cx.connector().connect("server", 81).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = cx.connector().connect_to("server").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        note(&seen, &cx, "done");
    });
    assert_between(at(&seen, "done"), 40, 42);
}

/// A connection that is kept alive, and whose server sends a byte each 100 ms for 10 s: how reading ends.
fn kept_alive(keep_alive: squall::net::KeepAlive, latency: std::ops::Range<Duration>) -> Vec<String> {
    let talk = |cx: HostContext| async move {
        let (mut stream, _) = cx.listener(80).accept().await?;
        for _ in 0..100 {
            stream.write_all(b"x").await?;
            tokio::time::sleep(millis(100)).await;
        }
        io::Result::Ok(())
    };
    let client = move |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.set_keep_alive(Some(keep_alive)).unwrap();
        let mut all = Vec::new();
        let end = stream.read_to_end(&mut all).await;
        note(&seen, &cx, format!("{} bytes, {end:?}", all.len()));
    };
    let (_, seen) = world_with(20, vec![], talk, client, move |s| s.latency(latency.clone()).step(millis(1)));
    let seen = seen.lock().unwrap();
    seen.iter().map(|(text, _)| text.clone()).collect()
}

/// Bytes arrive at about the times at which the kernel looks, sometimes in the same millisecond; it once panicked.
#[test]
fn a_peer_that_talks_as_often_as_it_would_be_probed_is_not_given_up() {
    for idle in [99_000, 99_500, 99_900, 100_000, 101_000].map(Duration::from_micros) {
        let keep_alive = squall::net::KeepAlive { idle, interval: millis(100), retries: 1 };
        let seen = kept_alive(keep_alive, Duration::from_micros(1_100)..Duration::from_micros(9_900));
        assert_eq!(seen, ["100 bytes, Ok(100)"], "{idle:?}");
    }
}

#[test]
fn keep_alive_can_be_stopped() {
    let partition = vec![on_link(fault::kinds::Partition {}, 500, 9_000)];
    let client = |cx: HostContext, seen: Seen| async move {
        let keep_alive = squall::net::KeepAlive { idle: secs(1), interval: secs(1), retries: 2 };
        let mut streams = Vec::new();
        for stops in [false, true] {
            let stream = cx.connector().connect("server", 80).await.unwrap();
            stream.set_keep_alive(Some(keep_alive)).unwrap();
            if stops {
                stream.set_keep_alive(None).unwrap();
            }
            streams.push(stream);
        }
        for mut stream in streams {
            let end = tokio::time::timeout(secs(8).saturating_sub(cx.elapsed()), stream.read_u8()).await;
            note(&seen, &cx, format!("{:?}", end.map(|read| read.unwrap_err().kind()).ok()));
        }
    };
    let (_, seen) = world_with(20, partition, |cx| echo(cx.listener(80)), client, |s| s);
    assert!(saw(&seen, "Some(TimedOut)"), "{:?}", seen.lock().unwrap());
    assert!(saw(&seen, "None"), "{:?}", seen.lock().unwrap());
}
