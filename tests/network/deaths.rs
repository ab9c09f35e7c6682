//! Processes that are killed and machines that lose their power, as a peer sees them.

use super::*;

#[test]
fn after_a_kill_the_peer_sees_the_end_and_connects_are_refused_until_the_restart() {
    let (_, seen) = world(20, vec![on_server(fault::kinds::Kill {}, 1_000, 5_000)], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        let end = stream.read(&mut [0; 16]).await;
        assert_eq!(end.unwrap(), 0, "the kernel of the killed process closes its connections");
        note(&seen, &cx, "end");
        let asked = cx.elapsed();
        let error = cx.connector().connect("server", 80).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let took = cx.elapsed() - asked;
        seen.lock().unwrap().push(("refused in".into(), took));
        while cx.connector().connect("server", 80).await.is_err() {}
        note(&seen, &cx, "back");
    });
    assert_between(at(&seen, "end"), 1_020, 1_022);
    assert_between(at(&seen, "refused in"), 40, 42);
    assert_between(at(&seen, "back"), 5_000, 5_080);
}

#[test]
fn a_killed_server_with_unread_bytes_resets() {
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(b"nobody reads this").await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
    };
    let (_, seen) =
        world_with(20, vec![on_server(fault::kinds::Kill {}, 1_000, 5_000)], accept_and_hold, client, |s| s);
    assert_between(at(&seen, "reset"), 1_020, 1_022);
}

#[test]
fn a_machine_whose_process_was_killed_can_still_lose_its_power() {
    let lengths = Arc::new(Mutex::new(Vec::new()));
    let server = sharing(&lengths, |cx, lengths| async move {
        let file = cx.disk().open_durable("log")?;
        lengths.lock().unwrap().push(file.len()?);
        file.write_at(0, b"never synced")?;
        echo(cx.listener(80)).await
    });
    let faults =
        vec![on_server(fault::kinds::Kill {}, 1_000, 6_000), on_server(fault::kinds::PowerOff {}, 3_000, 5_000)];
    let client = |cx: HostContext, seen: Seen| async move {
        for (asked_ms, what) in [(2_000, "process down"), (3_500, "power off"), (7_000, "all well")] {
            until(&cx, asked_ms).await;
            let connected = tokio::time::timeout(secs(1), cx.connector().connect("server", 80)).await;
            let end =
                connected.map(|end| end.map_or_else(|error| error.kind().to_string(), |_| "connected".to_owned()));
            note(&seen, &cx, format!("{what}: {}", end.unwrap_or_else(|_| "silence".to_owned())));
        }
    };
    let (run, seen) = world_with(20, faults, server, client, |scenario| scenario);
    assert!(saw(&seen, "process down: connection refused"), "{seen:?}");
    assert!(saw(&seen, "power off: silence") && saw(&seen, "all well: connected"), "{seen:?}");
    assert_eq!(run.outcome.fault_effects, [1, 1]);
    // The write of the dead process was lost with the power or, as it fits in a sector, kept whole; never in part.
    assert!(matches!(lengths.lock().unwrap()[..], [0, 0 | 12]), "{lengths:?}");
}

#[test]
fn after_a_power_off_there_is_silence_and_after_power_on_a_reset() {
    let (_, seen) = world(20, vec![on_server(fault::kinds::PowerOff {}, 1_000, 4_000)], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        tokio::time::sleep(millis(1_500)).await;
        stream.write_all(b"ping").await.unwrap();
        let quiet = tokio::time::timeout(secs(2), stream.read(&mut [0; 16])).await;
        note(&seen, &cx, if quiet.is_err() { "silence" } else { "answer" });
        let connecting = tokio::time::timeout(millis(300), cx.connector().connect("server", 80)).await;
        note(&seen, &cx, if connecting.is_err() { "connect hangs" } else { "connect answered" });
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
    });
    assert!(saw(&seen, "silence") && saw(&seen, "connect hangs"));
    // The ping is sent at 1.54 s, and again 0.24, 0.48, 0.96, 1.92 and 3.84 s later.
    assert_between(at(&seen, "reset"), 5_420, 5_425);
}

#[test]
fn an_idle_connection_to_a_machine_that_came_back_is_half_open() {
    let (_, seen) = world(20, vec![on_server(fault::kinds::PowerOff {}, 1_000, 2_000)], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        let quiet = tokio::time::timeout(secs(10), stream.read(&mut [0; 16])).await;
        note(&seen, &cx, if quiet.is_err() { "believes" } else { "knows" });
        stream.write_all(b"ping").await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
    });
    assert!(saw(&seen, "believes"));
    assert_between(at(&seen, "reset") - at(&seen, "believes"), 40, 42);
}
