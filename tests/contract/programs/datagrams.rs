//! The servers and clients of the rows about datagrams.

use std::time::Duration;

use super::*;
use crate::{Machine, PORT};

/// The longest datagram over IPv4.
const LONGEST: usize = 65_507;

/// Notes each datagram and when it comes, and sends it back.
pub async fn echo_datagrams<M: Machine>(machine: M) {
    let socket = machine.datagrams(PORT).await.expect("the port is free");
    let mut buffer = vec![0; LONGEST];
    loop {
        let Ok((length, from)) = machine.receive(&socket, &mut buffer).await else { return };
        machine.note_time(&brief(&buffer[..length]));
        let _ = machine.send_to(&socket, &buffer[..length], from).await;
    }
}

/// The bytes, or how many they are.
pub(super) fn brief(bytes: &[u8]) -> String {
    if bytes.len() > 20 { format!("{} B", bytes.len()) } else { format!("\"{}\"", String::from_utf8_lossy(bytes)) }
}

/// Reads nothing before 1 s, and then each datagram into a buffer of two bytes.
pub async fn short_buffer<M: Machine>(machine: M) {
    let socket = machine.datagrams(PORT).await.expect("the port is free");
    machine.until(1_000).await;
    let mut buffer = [0; 2];
    loop {
        match machine.receive(&socket, &mut buffer).await {
            Ok((length, _)) => machine.note(&brief(&buffer[..length])),
            Err(error) => return machine.note(&word::<()>(&Err(error), "")),
        }
    }
}

/// Binds a port twice.
pub async fn bind_twice<M: Machine>(machine: M) {
    let _first = machine.datagrams(PORT).await;
    machine.note(&word(&machine.datagrams(PORT).await, "bound"));
}

/// Sends these datagrams at 0.5 s, one after the other, and notes what comes back for a second.
async fn send<M: Machine>(machine: M, datagrams: &[&[u8]]) {
    let socket = machine.datagrams(0).await.expect("a port is free");
    machine.until(500).await;
    for datagram in datagrams {
        let sent = machine.send_to(&socket, datagram, machine.server()).await;
        if let Err(error) = sent {
            machine.note(&word::<()>(&Err(error), ""));
        }
    }
    note_answers(&machine, &socket, 1_500).await;
}

/// Notes what arrives until this time, and each error.
pub(super) async fn note_answers<M: Machine>(machine: &M, socket: &M::Datagrams, until_ms: u64) {
    let mut buffer = vec![0; LONGEST];
    loop {
        let left = Duration::from_millis(until_ms).saturating_sub(machine.elapsed());
        match tokio::time::timeout(left, machine.receive(socket, &mut buffer)).await {
            Ok(Ok((length, from))) => {
                let whose = if from == machine.server() { "" } else { " of somebody else" };
                machine.note_time(&format!("{}{whose}", brief(&buffer[..length])));
            }
            Ok(Err(error)) => machine.note(&word::<()>(&Err(error), "")),
            Err(_) => return machine.note("no more"),
        }
    }
}

/// Sends one datagram.
pub async fn one_datagram<M: Machine>(machine: M) {
    send(machine, &[b"a"]).await;
}

/// Sends three datagrams, one of them empty.
pub async fn three_datagrams<M: Machine>(machine: M) {
    send(machine, &[b"abc", b"", b"defg"]).await;
}

/// Sends a datagram of several packets, the longest one, and one that is too long.
pub async fn long_datagrams<M: Machine>(machine: M) {
    send(machine, &[&[7; 5_000], &[7; LONGEST], &[7; LONGEST + 1]]).await;
}

/// Sends a datagram at 0.5 s and another at 1.2 s.
pub async fn datagrams_twice<M: Machine>(machine: M) {
    let socket = machine.datagrams(0).await.expect("a port is free");
    for (at, datagram) in [(500, b"a"), (1_200, b"b")] {
        machine.until(at).await;
        let _ = machine.send_to(&socket, datagram, machine.server()).await;
    }
    note_answers(&machine, &socket, 2_500).await;
}
