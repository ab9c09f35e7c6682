//! A segment belongs to the kernel that sends it: each transmission is decided at its own time, and only a kernel that
//! still knows the connection sends it again.

use super::*;

/// Reads until the end of the stream, or an error, and notes each.
async fn note_what_is_read(stream: &mut TcpStream, cx: &HostContext, seen: &Seen) {
    let mut buffer = [0; 1_024];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return note(seen, cx, "end"),
            Ok(length) => note(seen, cx, String::from_utf8_lossy(&buffer[..length])),
            Err(error) => return note(seen, cx, error.kind()),
        }
    }
}

/// A server that notes what it reads on its first connection.
async fn reader(cx: HostContext, seen: Seen) -> io::Result<()> {
    let listener = cx.listener(80);
    let (mut stream, _) = listener.accept().await?;
    note_what_is_read(&mut stream, &cx, &seen).await;
    std::future::pending().await
}

/// A run in which the client connects, writes `a` at 1 s and `b` right after, and holds the connection. Returns what
/// the server reads.
fn written(faults: Vec<Fault>) -> Seen {
    let seen = Seen::default();
    let client = |cx: HostContext, _| async move {
        let life = cx.life();
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_000).await;
        if life == 0 {
            stream.write_all(b"a").await.unwrap();
            tokio::time::sleep(millis(20)).await;
            stream.write_all(b"b").await.unwrap();
        }
        std::future::pending().await
    };
    world_with(20, faults, sharing(&seen, reader), client, |scenario| scenario.run_for(secs(100)));
    seen
}

fn client_off(from_ms: u64, to_ms: u64) -> Fault {
    fault_of(fault::kinds::PowerOff {}, Target::Hosts(Selector::from("client")), from_ms, to_ms)
}

fn loss(from_ms: u64, to_ms: u64) -> Fault {
    on_link(fault::kinds::Loss { rate: 1.0 }, from_ms, to_ms)
}

#[test]
fn what_is_behind_a_lost_segment_arrives_with_it() {
    // The timeout is 240 ms.
    let seen = written(vec![loss(1_000, 1_010)]);
    assert_eq!(labels(&seen), ["ab"]);
    assert_between(at(&seen, "ab"), 1_260, 1_262);
}

#[test]
fn a_machine_without_power_sends_nothing_again() {
    let partition = || on_link(fault::kinds::Partition {}, 900, 8_000);
    assert_eq!(labels(&written(vec![partition()])), ["a", "b"]);
    assert!(labels(&written(vec![partition(), client_off(2_000, 62_000)])).is_empty());
    // The second segment got through, but nothing fills the gap before it.
    assert!(labels(&written(vec![loss(1_000, 1_010), client_off(1_100, 62_000)])).is_empty());
    // Power that fails after the retransmission comes too late to matter.
    assert_eq!(labels(&written(vec![loss(1_000, 1_010), client_off(1_300, 62_000)])), ["ab"]);
}

#[test]
fn a_partition_between_two_transmissions_stops_the_second() {
    let partition = on_link(fault::kinds::Partition {}, 1_100, 5_000);
    let seen = written(vec![loss(1_000, 1_010), partition]);
    // Transmissions of `a` at 1.0, 1.24, 1.48, 1.96, 2.92, 4.84 and 8.68 s.
    assert_eq!(labels(&seen), ["ab"]);
    assert_between(at(&seen, "ab"), 8_700, 8_702);
}

#[test]
fn a_loss_that_ends_between_two_transmissions_does_not_lose_the_second() {
    let seen = written(vec![loss(990, 1_600)]);
    assert_between(at(&seen, "a"), 1_980, 1_982);
}

#[test]
fn a_connection_that_was_reset_has_nothing_to_send_again() {
    let server = |cx: HostContext| async move {
        let listener = cx.listener(80);
        let (mut stream, _) = listener.accept().await?;
        until(&cx, 1_002).await;
        stream.write_all(b"answer").await?;
        until(&cx, 1_050).await;
        // Closing with unread bytes resets the connection.
        drop(stream);
        std::future::pending().await
    };
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(b"a request that nobody reads").await.unwrap();
        note_what_is_read(&mut stream, &cx, &seen).await;
        note_what_is_read(&mut stream, &cx, &seen).await;
        note(&seen, &cx, stream.write_all(b"x").await.unwrap_err().kind());
    };
    let read = |faults| labels(&world_with(20, faults, server, client, |scenario| scenario).1);
    let reset = ["connection reset", "end", "broken pipe"];
    assert_eq!(read(vec![]), ["answer", reset[0], reset[1], reset[2]]);
    assert_eq!(read(vec![loss(1_000, 1_010)]), reset);
}

#[test]
fn after_the_end_of_the_stream_a_reset_is_seen_only_by_writes() {
    let server = |cx: HostContext| async move {
        let listener = cx.listener(80);
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"answer").await?;
        drop(stream);
        std::future::pending().await
    };
    let (_, seen) = world_with(
        20,
        vec![],
        server,
        |cx, seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            until(&cx, 1_000).await;
            // The server has closed the connection, and answers this with a reset.
            stream.write_all(b"x").await.unwrap();
            until(&cx, 1_100).await;
            note_what_is_read(&mut stream, &cx, &seen).await;
            note_what_is_read(&mut stream, &cx, &seen).await;
            note(&seen, &cx, stream.write_all(b"x").await.unwrap_err().kind());
        },
        |scenario| scenario,
    );
    assert_eq!(labels(&seen), ["answer", "end", "end", "broken pipe"]);
}

#[test]
fn a_kernel_gives_a_connection_up_after_fifteen_minutes() {
    let partition = on_link(fault::kinds::Partition {}, 900, 1_100_000);
    let (_, seen) = world_with(
        20,
        vec![partition],
        |cx| echo(cx.listener(80)),
        |cx, seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            until(&cx, 1_000).await;
            stream.write_all(b"x").await.unwrap();
            note_what_is_read(&mut stream, &cx, &seen).await;
            note_what_is_read(&mut stream, &cx, &seen).await;
            note(&seen, &cx, stream.write_all(b"x").await.unwrap_err().kind());
        },
        |scenario| scenario.step(millis(20)).run_for(secs(1_100)),
    );
    assert_eq!(labels(&seen), ["timed out", "end", "broken pipe"]);
    // From 240 ms on, timeouts double up to 120 s: the first that expires after 924.6 s does so after 962.88 s.
    assert_between(at(&seen, "timed out"), 963_880, 963_901);
}

#[test]
fn the_end_of_a_stream_is_reset_by_a_machine_that_does_not_know_it() {
    let server_off = on_server(fault::kinds::PowerOff {}, 1_000, 3_000);
    let (_, seen) = world(20, vec![server_off], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        stream.shutdown().await.unwrap();
        note_what_is_read(&mut stream, &cx, &seen).await;
    });
    // Transmissions at 1.5, 1.74, 1.98, 2.46 and 3.42 s.
    assert_eq!(labels(&seen), ["connection reset"]);
    assert_between(at(&seen, "connection reset"), 3_460, 3_462);
}

/// A run in which the server accepts and notes, closes at once, and the client notes how its connect and its read end.
fn accepted_and_closed(faults: Vec<Fault>, patience_ms: u64) -> (Seen, Seen) {
    let accepted = Seen::default();
    let server = sharing(&accepted, |cx: HostContext, seen: Seen| async move {
        let listener = cx.listener(80);
        loop {
            let (stream, _) = listener.accept().await?;
            note(&seen, &cx, "accepted");
            drop(stream);
        }
    });
    let client = move |cx: HostContext, seen: Seen| async move {
        until(&cx, 1_000).await;
        match tokio::time::timeout(millis(patience_ms), cx.connector().connect("server", 80)).await {
            Err(_) => note(&seen, &cx, "gave up"),
            Ok(Err(error)) => note(&seen, &cx, error.kind()),
            Ok(Ok(mut stream)) => {
                note(&seen, &cx, "connected");
                note_what_is_read(&mut stream, &cx, &seen).await;
            }
        }
    };
    let (_, seen) = world_with(20, faults, server, client, |scenario| scenario);
    (accepted, seen)
}

fn loss_to_client(from_ms: u64, to_ms: u64) -> Fault {
    one_way(fault::kinds::PartitionOneWay {}, "server", "client", from_ms, to_ms)
}

#[test]
fn a_connection_is_accepted_when_the_third_segment_arrives() {
    let (accepted, seen) = accepted_and_closed(vec![], 10_000);
    assert_eq!((labels(&accepted).len(), labels(&seen)), (1, vec!["connected".to_owned(), "end".to_owned()]));
    assert_between(at(&seen, "connected"), 1_040, 1_041);
    assert_between(at(&accepted, "accepted"), 1_060, 1_061);
    assert_between(at(&seen, "end"), 1_080, 1_081);
}

#[test]
fn a_client_that_gives_up_leaves_no_connection_behind() {
    let (accepted, seen) = accepted_and_closed(vec![loss_to_client(900, 60_000)], 5_000);
    assert_eq!(labels(&seen), ["gave up"]);
    assert!(labels(&accepted).is_empty());
}

#[test]
fn a_connect_is_accepted_once_even_if_its_answer_was_lost() {
    // The SYN-ACK is lost; the client and the server send again at the same time.
    let (accepted, seen) = accepted_and_closed(vec![loss_to_client(900, 1_500)], 10_000);
    assert_eq!(labels(&accepted).len(), 1);
    assert_between(at(&seen, "connected"), 2_040, 2_041);
}

#[test]
fn a_lost_third_segment_is_sent_again_when_the_answer_is() {
    let (accepted, seen) = accepted_and_closed(vec![one_way_loss(1_030, 1_050)], 10_000);
    assert_between(at(&seen, "connected"), 1_040, 1_041);
    // The SYN arrived at 1.02 s; the kernel answers again a second later.
    assert_between(at(&accepted, "accepted"), 2_060, 2_061);
    assert_eq!(labels(&accepted).len(), 1);
    assert_between(at(&seen, "end"), 2_080, 2_081);
}

fn one_way_loss(from_ms: u64, to_ms: u64) -> Fault {
    one_way(fault::kinds::PartitionOneWay {}, "client", "server", from_ms, to_ms)
}
