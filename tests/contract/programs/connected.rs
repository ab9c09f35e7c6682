//! The servers and clients of the rows about connected datagram sockets.

use std::net::SocketAddr;

use super::*;
use crate::{Machine, PORT};

/// Answers the first datagram from two sockets: first from one that is connected to the client, and then from the one
/// that received it. Notes what the connected one hears.
pub async fn answer_from_two_sockets<M: Machine>(machine: M) {
    let socket = machine.datagrams(PORT).await.expect("the port is free");
    let (length, client) = machine.receive(&socket, &mut [0; 9]).await.expect("a client sends");
    assert_eq!(length, 1);
    let other = machine.datagrams(0).await.expect("a port is free");
    machine.connect_datagrams(&other, client).await.expect("the client can be reached");
    machine.note(&word(&machine.send(&other, b"stranger").await, "sent"));
    machine.until(700).await;
    machine.note(&word(&machine.send_to(&socket, b"peer", client).await, "sent"));
    note_answers(&machine, &other, 1_500).await;
}

/// Looks at a datagram twice before it receives it, the first time through a buffer of two bytes.
pub async fn peek_and_receive<M: Machine>(machine: M) {
    let socket = machine.datagrams(PORT).await.expect("the port is free");
    let (mut short, mut long) = ([0; 2], [0; 99]);
    for buffer in [&mut short[..], &mut long] {
        let length = machine.peek(&socket, buffer).await.map(|(length, _)| length);
        machine.note(&length.map_or_else(|error| error.to_string(), |length| brief(&buffer[..length])));
    }
    for _ in 0..2 {
        let length = machine.receive_only(&socket, &mut long).await;
        machine.note(&length.map_or_else(|error| error.to_string(), |length| brief(&long[..length])));
    }
}

/// A socket that is connected to this port of the server at 0.5 s.
async fn connected_datagrams<M: Machine>(machine: &M, port: u16) -> M::Datagrams {
    let socket = machine.datagrams(0).await.expect("a port is free");
    machine.until(500).await;
    let server = SocketAddr::new(machine.server().ip(), port);
    machine.connect_datagrams(&socket, server).await.expect("the server can be reached");
    socket
}

/// Sends a datagram at these times, and notes what comes before the next one.
async fn send_at<M: Machine>(machine: M, times_ms: &[u64]) {
    let socket = connected_datagrams(&machine, PORT).await;
    for at_ms in times_ms {
        machine.until(*at_ms).await;
        machine.note(&word(&machine.send(&socket, b"a").await, "sent"));
        note_answers(&machine, &socket, at_ms + 200).await;
    }
}

/// Sends one datagram.
pub async fn one_to_the_peer<M: Machine>(machine: M) {
    send_at(machine, &[500]).await;
}

/// Sends one datagram, and waits for longer.
pub async fn one_to_the_peer_and_wait<M: Machine>(machine: M) {
    let socket = connected_datagrams(&machine, PORT).await;
    machine.note(&word(&machine.send(&socket, b"a").await, "sent"));
    note_answers(&machine, &socket, 1_500).await;
}

/// Sends a datagram, and two more much later.
pub async fn three_to_the_peer<M: Machine>(machine: M) {
    send_at(machine, &[500, 1_200, 1_500]).await;
}

/// Sends a datagram each 20 ms, receives nothing, and notes the calls that failed.
pub async fn many_to_the_peer<M: Machine>(machine: M) {
    let socket = connected_datagrams(&machine, PORT).await;
    for number in 1..=20 {
        machine.until(500 + 20 * number).await;
        if let Err(error) = machine.send(&socket, b"a").await {
            machine.note(&format!("{number}: {}", word::<()>(&Err(error), "")));
        }
    }
}

/// Sends a datagram before it is connected, connects it when the answers have arrived, and reads them then.
pub async fn connect_after_the_answers<M: Machine>(machine: M) {
    let socket = machine.datagrams(0).await.expect("a port is free");
    machine.until(500).await;
    machine.send_to(&socket, b"a", machine.server()).await.expect("it can be sent");
    machine.until(900).await;
    machine.connect_datagrams(&socket, machine.server()).await.expect("the server can be reached");
    note_answers(&machine, &socket, 1_500).await;
}

/// Sends to somebody else than the peer, to a port that nobody has.
pub async fn to_another_than_the_peer<M: Machine>(machine: M) {
    let socket = connected_datagrams(&machine, PORT).await;
    let other = SocketAddr::new(machine.server().ip(), PORT + 1);
    machine.note(&word(&machine.send_to(&socket, b"a", other).await, "sent"));
    machine.until(700).await;
    machine.note(&word(&machine.send(&socket, b"b").await, "sent"));
    note_answers(&machine, &socket, 1_500).await;
}

/// Connects to a port that nobody has, and after an answer to another one.
pub async fn connect_again<M: Machine>(machine: M) {
    let socket = connected_datagrams(&machine, PORT + 1).await;
    machine.note(&word(&machine.send(&socket, b"a").await, "sent"));
    machine.until(700).await;
    machine.connect_datagrams(&socket, machine.server()).await.expect("the server can be reached");
    for datagram in [b"b", b"c"] {
        machine.note(&word(&machine.send(&socket, datagram).await, "sent"));
    }
    note_answers(&machine, &socket, 1_500).await;
}

/// What a socket says of itself before and after it is connected.
pub async fn addresses_of_a_socket<M: Machine>(machine: M) {
    let socket = machine.datagrams(0).await.expect("a port is free");
    machine.note(&word(&machine.send(&socket, b"a").await, "sent"));
    machine.note(&word(&machine.addresses(&socket).1, "a peer"));
    machine.until(500).await;
    machine.connect_datagrams(&socket, machine.server()).await.expect("the server can be reached");
    let (own, peer) = machine.addresses(&socket);
    machine.note(if peer.is_ok_and(|peer| peer == machine.server()) { "the server" } else { "another peer" });
    let is_own =
        own.is_ok_and(|own| !own.ip().is_unspecified() && own.ip() != machine.server().ip() && own.port() != 0);
    machine.note(if is_own { "an address of its own" } else { "no address" });
}
