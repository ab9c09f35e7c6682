//! A server on tokio's sockets that answers lines, one by one: `add KEY`, or `keys`.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::SharedStore;

/// The server.
pub async fn serve(store: SharedStore) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:7000").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer_all(stream, store.clone()));
    }
}

/// Answers each line of a stream by one line, until there are no more.
pub async fn answer_all(stream: impl AsyncRead + AsyncWrite + Unpin, store: SharedStore) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match line.trim_end().split_once(' ') {
            Some(("add", key)) => {
                store.add(key).await.map_or_else(|error| format!("failed: {error}"), |()| "added".into())
            }
            _ => store.keys().join(" "),
        };
        stream.get_mut().write_all(format!("{answer}\n").as_bytes()).await?;
    }
}
