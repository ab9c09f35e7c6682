//! The programs of the rows: what both sides do with their sockets and note of it, and the two sides themselves.

mod clients;
mod connected;
mod datagrams;
mod servers;

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::Machine;

pub use clients::*;
pub use connected::*;
pub use datagrams::*;
pub use servers::*;

/// What a read, a write or a connect returned, in a word.
pub(super) fn word<T>(result: &io::Result<T>, good: &str) -> String {
    match result {
        Ok(_) => good.to_owned(),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionReset => "ECONNRESET".to_owned(),
            io::ErrorKind::ConnectionRefused => "ECONNREFUSED".to_owned(),
            io::ErrorKind::BrokenPipe => "EPIPE".to_owned(),
            io::ErrorKind::TimedOut => "ETIMEDOUT".to_owned(),
            io::ErrorKind::AddrInUse => "EADDRINUSE".to_owned(),
            io::ErrorKind::NotConnected => "ENOTCONN".to_owned(),
            _ if error.raw_os_error() == Some(89) => "EDESTADDRREQ".to_owned(),
            _ if error.raw_os_error() == Some(90) => "EMSGSIZE".to_owned(),
            kind => format!("{kind:?}"),
        },
    }
}

/// Reads once, and notes the bytes, the end of the stream or the error.
pub(super) async fn read<M: Machine>(machine: &M, stream: &mut M::Stream) {
    machine.note(&what_is_read(stream).await);
}

/// The same, with the time.
pub(super) async fn timed_read<M: Machine>(machine: &M, stream: &mut M::Stream) {
    machine.note_time(&what_is_read(stream).await);
}

async fn what_is_read(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut buffer = [0; 4_096];
    let result = stream.read(&mut buffer).await;
    match result {
        Ok(0) => "EOF".to_owned(),
        Ok(length) => String::from_utf8_lossy(&buffer[..length]).into_owned(),
        Err(_) => word(&result, ""),
    }
}

/// Reads until the end of the stream or an error, and notes all bytes together, then the end.
pub(super) async fn read_all<M: Machine>(machine: &M, stream: &mut M::Stream) {
    let mut all = Vec::new();
    let mut buffer = [0; 4_096];
    let end = loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break "EOF".to_owned(),
            Ok(length) => all.extend_from_slice(&buffer[..length]),
            Err(error) => break word::<()>(&Err(error), ""),
        }
    };
    if !all.is_empty() {
        machine.note(&String::from_utf8_lossy(&all));
    }
    machine.note(&end);
}

pub(super) async fn write<M: Machine>(machine: &M, stream: &mut M::Stream, bytes: &str) {
    let result = stream.write_all(bytes.as_bytes()).await;
    machine.note(&word(&result, "written"));
}

/// Connects when the server is certain to listen.
pub(super) async fn connect<M: Machine>(machine: &M) -> io::Result<M::Stream> {
    machine.until(200).await;
    machine.connect().await
}

pub(super) async fn connected<M: Machine>(machine: &M) -> M::Stream {
    connect(machine).await.expect("the server listens")
}

pub(super) async fn accepted<M: Machine>(machine: &M) -> M::Stream {
    let mut listener = machine.listen().await.expect("the port is free");
    machine.accept(&mut listener).await.expect("a client connects")
}

/// Sends 1 MB and counts what arrives meanwhile.
pub(super) async fn exchange<M: Machine>(machine: &M, stream: M::Stream) {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let sending = async {
        let result = writing.write_all(&vec![7; 1 << 20]).await;
        let _ = writing.shutdown().await;
        result
    };
    let receiving = async {
        let mut bytes = Vec::new();
        reading.read_to_end(&mut bytes).await.map(|_| bytes.len())
    };
    let (sent, received) = tokio::join!(sending, receiving);
    machine.note(&word(&sent, "sent"));
    machine.note(&received.map_or_else(|error| error.kind().to_string(), |length| format!("{length} bytes")));
}
