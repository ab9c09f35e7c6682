//! The clients of the rows.

use tokio::io::AsyncWriteExt;

use super::*;
use crate::Machine;

/// Connects, and notes how that ends and when.
pub async fn connect_once<M: Machine>(machine: M) {
    let result = connect(&machine).await;
    machine.note_time(&word(&result, "connected"));
    std::future::pending().await
}

/// Connects at 0.7 s, and notes how that ends and when.
pub async fn connect_late<M: Machine>(machine: M) {
    machine.until(700).await;
    let result = machine.connect().await;
    machine.note_time(&word(&result, "connected"));
    std::future::pending().await
}

/// Connects, and gives up after half a second.
pub async fn connect_impatiently<M: Machine>(machine: M) {
    machine.until(200).await;
    let result = tokio::time::timeout(std::time::Duration::from_millis(500), machine.connect()).await;
    machine.note(if result.is_ok() { "connected" } else { "gave up" });
    drop(result);
    std::future::pending().await
}

/// Connects, and notes each read until the end.
pub async fn connect_and_read<M: Machine>(machine: M) {
    match connect(&machine).await {
        Ok(mut stream) => read_all(&machine, &mut stream).await,
        Err(error) => machine.note(&word::<()>(&Err(error), "")),
    }
    std::future::pending().await
}

/// Reads what is there at 1 s, three times, then writes.
pub async fn read_thrice_and_write<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.until(1_000).await;
    for _ in 0..3 {
        read(&machine, &mut stream).await;
    }
    write(&machine, &mut stream, "x").await;
}

/// Writes at 0.5 s, to a peer that has closed; reads what is there at 1 s, three times; writes again.
pub async fn write_read_thrice_and_write<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.until(500).await;
    write(&machine, &mut stream, "x").await;
    machine.until(1_000).await;
    for _ in 0..3 {
        read(&machine, &mut stream).await;
    }
    write(&machine, &mut stream, "x").await;
}

/// Sends a request at once; at 1 s reads three times and writes.
pub async fn request_read_thrice_and_write<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let _ = stream.write_all(b"request").await;
    machine.until(1_000).await;
    for _ in 0..3 {
        read(&machine, &mut stream).await;
    }
    write(&machine, &mut stream, "x").await;
}

/// Sends a request at once; at 1 s writes, and then reads twice.
pub async fn request_write_and_read<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let _ = stream.write_all(b"request").await;
    machine.until(1_000).await;
    for _ in 0..2 {
        write(&machine, &mut stream, "x").await;
    }
    for _ in 0..2 {
        read(&machine, &mut stream).await;
    }
}

/// Sends a request, ends its side, and reads the answer.
pub async fn request_end_and_read<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let _ = stream.write_all(b"request").await;
    let _ = stream.shutdown().await;
    read_all(&machine, &mut stream).await;
    write(&machine, &mut stream, "x").await;
}

/// Reads the end of the stream, and then sends and ends.
pub async fn read_then_send_and_end<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    read(&machine, &mut stream).await;
    write(&machine, &mut stream, "late").await;
    let _ = stream.shutdown().await;
    std::future::pending().await
}

/// Sends `a` at 0.5 s and holds the connection.
pub async fn send_one<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.until(500).await;
    let _ = stream.write_all(b"a").await;
    std::future::pending().await
}

/// Sends `a` at 0.5 s and reads.
pub async fn send_one_and_read<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.until(500).await;
    let _ = stream.write_all(b"a").await;
    read_all(&machine, &mut stream).await;
    std::future::pending().await
}

/// Sends `a` at 0.5 s and ends its side.
pub async fn send_one_and_end<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.until(500).await;
    let _ = stream.write_all(b"a").await;
    let _ = stream.shutdown().await;
    std::future::pending().await
}

/// Ends its side at 0.7 s and reads.
pub async fn end_late_and_read<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.until(700).await;
    let _ = stream.shutdown().await;
    read_all(&machine, &mut stream).await;
    std::future::pending().await
}

/// Sends `a` at 0.5 s and closes.
pub async fn send_one_and_close<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.until(500).await;
    let _ = stream.write_all(b"a").await;
    drop(stream);
    std::future::pending().await
}

/// Sends `ping` and reads the answer, at 0.5 s and at 1.5 s.
pub async fn ping_twice<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    for at_ms in [500, 1_500] {
        machine.until(at_ms).await;
        let _ = stream.write_all(b"ping").await;
        read(&machine, &mut stream).await;
    }
}

/// Sends `ping` at 0.5 s, and notes when the answer comes.
pub async fn ping_timed<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.until(500).await;
    let _ = stream.write_all(b"ping").await;
    timed_read(&machine, &mut stream).await;
    std::future::pending().await
}

/// Sends 64 MB; notes when not all could be sent by 1 s, and when all were sent.
pub async fn send_much<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let bytes = vec![7; 1 << 20];
    let mut is_late = false;
    for _ in 0..64 {
        let _ = stream.write_all(&bytes).await;
        is_late |= machine.elapsed().as_millis() > 1_900;
    }
    machine.note(if is_late { "waited for the reader" } else { "did not wait" });
    let _ = stream.shutdown().await;
    std::future::pending().await
}

/// Opens ten connections one after the other, and sends on each.
pub async fn ten_connections<M: Machine>(machine: M) {
    machine.until(200).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        let mut stream = machine.connect().await.expect("the server listens");
        let _ = stream.write_all(b"ping").await;
        open.push(stream);
    }
    for stream in &mut open {
        read(&machine, stream).await;
    }
}

/// Ends its side, and then writes.
pub async fn end_and_write<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let _ = stream.shutdown().await;
    write(&machine, &mut stream, "x").await;
    std::future::pending().await
}

/// Sends a request and then nothing, and reads at 1 s.
pub async fn request_and_read_late<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let _ = stream.write_all(b"request").await;
    machine.until(1_000).await;
    read_all(&machine, &mut stream).await;
    std::future::pending().await
}

/// Writes at 1 s and at 1.1 s, and reads twice.
pub async fn write_late_twice<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    for at_ms in [1_000, 1_100] {
        machine.until(at_ms).await;
        write(&machine, &mut stream, "x").await;
    }
    for _ in 0..2 {
        read(&machine, &mut stream).await;
    }
}

/// Sends a request at once, writes at 1 s and at 1.1 s, and reads twice.
pub async fn request_and_write_late_twice<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let _ = stream.write_all(b"request").await;
    for at_ms in [1_000, 1_100] {
        machine.until(at_ms).await;
        write(&machine, &mut stream, "x").await;
    }
    for _ in 0..2 {
        read(&machine, &mut stream).await;
    }
}

/// Connects at 0.7 s and at 1.2 s.
pub async fn connect_twice<M: Machine>(machine: M) {
    let mut held = Vec::new();
    for at_ms in [700, 1_200] {
        machine.until(at_ms).await;
        let result = machine.connect().await;
        machine.note_time(&word(&result, "connected"));
        held.push(result);
    }
    std::future::pending().await
}

/// Connects three times at once to a port on which nobody listens.
pub async fn refused_thrice<M: Machine>(machine: M) {
    machine.until(200).await;
    for _ in 0..3 {
        machine.note(&word(&machine.connect().await, "connected"));
    }
}

/// The other end of [`both_ways`].
pub async fn both_ways_client<M: Machine>(machine: M) {
    let stream = connected(&machine).await;
    exchange(&machine, stream).await;
}

/// Writes the numbers up to 200, one by one, and ends.
pub async fn many_small_writes<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    for number in 0..200 {
        let _ = stream.write_all(format!("{number} ").as_bytes()).await;
    }
    let _ = stream.shutdown().await;
    std::future::pending().await
}

/// Writes nothing, then a byte, and ends.
pub async fn empty_write<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let result = stream.write(&[]).await;
    machine.note(&format!("{} bytes", result.unwrap_or(9)));
    let _ = stream.write_all(b"a").await;
    let _ = stream.shutdown().await;
    std::future::pending().await
}

/// Ends its side without a byte.
pub async fn end_at_once<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let _ = stream.shutdown().await;
    std::future::pending().await
}

/// Closes as soon as it is connected.
pub async fn close_client_at_once<M: Machine>(machine: M) {
    drop(connected(&machine).await);
    std::future::pending().await
}

/// Sends a byte, and closes at 0.5 s with the greeting unread.
pub async fn close_client_unread<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let _ = stream.write_all(b"a").await;
    machine.until(500).await;
    drop(stream);
    std::future::pending().await
}

/// Sends `a` at 0.5 s and `b` at 0.6 s.
pub async fn send_two<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    for (at_ms, bytes) in [(500, b"a"), (600, b"b")] {
        machine.until(at_ms).await;
        let _ = stream.write_all(bytes).await;
    }
    std::future::pending().await
}

/// Connects, and notes when the end of what it reads comes.
pub async fn connect_and_read_timed<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    read_all(&machine, &mut stream).await;
    machine.note_time("done");
}

/// Keeps an idle connection alive (first probe after 1 s, another each second, three in all), and reads.
pub async fn keep_alive_and_read<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.keep_alive(&stream, 1, 1, 3);
    timed_read(&machine, &mut stream).await;
    write(&machine, &mut stream, "x").await;
    std::future::pending().await
}

/// The same, with a user timeout of 1.5 s.
pub async fn keep_alive_with_user_timeout<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.keep_alive(&stream, 1, 1, 9);
    machine.user_timeout(&stream, std::time::Duration::from_millis(1_500));
    timed_read(&machine, &mut stream).await;
    std::future::pending().await
}

/// Keeps a connection alive, sends a byte at 0.7 s, and reads.
pub async fn keep_alive_and_send<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.keep_alive(&stream, 1, 1, 3);
    machine.until(700).await;
    let _ = stream.write_all(b"a").await;
    timed_read(&machine, &mut stream).await;
    std::future::pending().await
}

/// Sends a byte at 0.5 s with a user timeout of 1 s, reads twice and writes.
pub async fn user_timeout_and_send<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    machine.user_timeout(&stream, std::time::Duration::from_secs(1));
    machine.until(500).await;
    let _ = stream.write_all(b"a").await;
    timed_read(&machine, &mut stream).await;
    read(&machine, &mut stream).await;
    write(&machine, &mut stream, "x").await;
    std::future::pending().await
}

/// Sends `a` at 0.5 s and `b` at 0.6 s, and ends its side.
pub async fn send_two_and_end<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    for (at_ms, bytes) in [(500, b"a"), (600, b"b")] {
        machine.until(at_ms).await;
        let _ = stream.write_all(bytes).await;
    }
    machine.until(1_500).await;
    let _ = stream.shutdown().await;
    std::future::pending().await
}

/// Sends a request at once and a byte at 0.6 s, and notes how reading ends and when.
pub async fn request_write_and_timed_read<M: Machine>(machine: M) {
    let mut stream = connected(&machine).await;
    let _ = stream.write_all(b"request").await;
    machine.until(600).await;
    let _ = stream.write_all(b"x").await;
    timed_read(&machine, &mut stream).await;
    std::future::pending().await
}
