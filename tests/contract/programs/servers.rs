//! The servers of the rows.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::Machine;

/// A program that does nothing.
pub async fn nothing<M: Machine>(_: M) {}

/// Accepts, and holds the connections without a look at them.
pub async fn hold<M: Machine>(machine: M) {
    let mut listener = machine.listen().await.expect("the port is free");
    let mut held = Vec::new();
    loop {
        held.push(machine.accept(&mut listener).await);
    }
}

/// Listens, and never accepts.
pub async fn listen<M: Machine>(machine: M) {
    let _listener = machine.listen().await;
    std::future::pending().await
}

/// Accepts each connection and notes it.
pub async fn note_accepts<M: Machine>(machine: M) {
    let mut listener = machine.listen().await.expect("the port is free");
    let mut held = Vec::new();
    loop {
        held.push(machine.accept(&mut listener).await);
        machine.note_time("accepted");
    }
}

/// Accepts each connection, notes it, and closes it.
pub async fn close_at_once<M: Machine>(machine: M) {
    let mut listener = machine.listen().await.expect("the port is free");
    loop {
        drop(machine.accept(&mut listener).await);
        machine.note("accepted");
    }
}

/// Accepts a connection and notes all that it reads.
pub async fn reader<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    read_all(&machine, &mut stream).await;
    std::future::pending().await
}

/// Accepts a connection, and notes each piece that it reads and when.
pub async fn timed_reader<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return machine.note_time("EOF"),
            Ok(length) => machine.note_time(&String::from_utf8_lossy(&buffer[..length])),
            Err(error) => return machine.note_time(&word::<()>(&Err(error), "")),
        }
    }
}

/// Sends an answer, and closes.
pub async fn answer_and_close<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    let _ = stream.write_all(b"answer").await;
}

/// Sends an answer at 0.5 s and closes at 0.7 s, with a request unread.
pub async fn answer_and_close_unread<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    machine.until(500).await;
    let _ = stream.write_all(b"answer").await;
    machine.until(700).await;
}

/// Closes at 0.5 s with a request unread.
pub async fn close_unread<M: Machine>(machine: M) {
    let _stream = accepted(&machine).await;
    machine.until(500).await;
}

/// Echoes what it reads, on every connection, one after the other.
pub async fn echo<M: Machine>(machine: M) {
    let mut listener = machine.listen().await.expect("the port is free");
    loop {
        let Ok(mut stream) = machine.accept(&mut listener).await else { return };
        tokio::task::spawn_local(async move {
            let mut buffer = [0; 4_096];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Reads to the end of the request, and only then answers.
pub async fn answer_after_the_end<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    read_all(&machine, &mut stream).await;
    write(&machine, &mut stream, "answer").await;
}

/// Ends its own side at once, and reads on.
pub async fn end_and_read<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    let _ = stream.shutdown().await;
    read_all(&machine, &mut stream).await;
}

/// Reads nothing before 2 s, then everything.
pub async fn late_reader<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    machine.until(2_000).await;
    let mut total = 0;
    let mut buffer = vec![0; 64 * 1_024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        total += length;
    }
    machine.note(&format!("{total} bytes"));
}

/// Stops listening at 0.5 s without having accepted.
pub async fn stop_listening<M: Machine>(machine: M) {
    let listener = machine.listen().await;
    machine.until(500).await;
    drop(listener);
}

/// Listens twice.
pub async fn listen_twice<M: Machine>(machine: M) {
    let _first = machine.listen().await;
    let second = machine.listen().await;
    machine.note(match second.err().map(|error| error.kind()) {
        Some(io::ErrorKind::AddrInUse) => "EADDRINUSE",
        Some(_) => "another error",
        None => "listens",
    });
}

/// Sends and receives 1 MB at the same time.
pub async fn both_ways<M: Machine>(machine: M) {
    let stream = accepted(&machine).await;
    exchange(&machine, stream).await;
}

/// Sends a greeting at once, and reads at 1 s.
pub async fn greet_and_read<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    let _ = stream.write_all(b"welcome").await;
    machine.until(1_000).await;
    read_all(&machine, &mut stream).await;
    write(&machine, &mut stream, "x").await;
}

/// Answers at 0.5 s, and closes.
pub async fn answer_at_half_and_close<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    machine.until(500).await;
    let _ = stream.write_all(b"answer").await;
}

/// Sends an answer, and resets the connection at 0.5 s.
pub async fn answer_and_reset<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    let _ = stream.write_all(b"answer").await;
    machine.until(500).await;
    machine.reset_on_close(&stream);
}

/// Sends an answer at 0.5 s, and resets the connection at once.
pub async fn answer_at_half_and_reset<M: Machine>(machine: M) {
    let mut stream = accepted(&machine).await;
    machine.until(500).await;
    machine.reset_on_close(&stream);
    let _ = stream.write_all(b"answer").await;
    machine.until(600).await;
}

/// Notes when each of several timers fires, and what a tick every 0.44 s does that must not fall behind.
pub async fn note_timers<M: Machine>(machine: M) {
    for at in [500, 1_000, 1_500, 2_500] {
        let own = machine.clone();
        tokio::task::spawn_local(async move {
            own.until(at).await;
            own.note_time(&format!("timer of {at} ms"));
        });
    }
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(440));
    for _ in 0..7 {
        ticks.tick().await;
        machine.note_time("tick");
    }
    std::future::pending().await
}
