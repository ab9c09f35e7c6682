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
        let mut listener = cx.listener(80);
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
        let mut listener = cx.listener(80);
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
        saw(&seen, "client has no free port left: 28232 connections are open or being opened; drop some of them"),
        "{:?}",
        seen.lock().unwrap()
    );
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
