//! A server on tokio's sockets that answers lines, one by one: `add KEY`, or `keys`; and a client on any stream.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::{Client, Failure, Habits, SharedStore};

/// The port of the server.
pub const PORT: u16 = 7_000;

/// The server.
pub async fn serve(store: SharedStore) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
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

/// A client.
pub struct Lines<S> {
    stream: BufReader<S>,
    habits: Habits,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    /// A client that asks over this stream.
    pub fn new(stream: S, habits: Habits) -> Lines<S> {
        Lines { stream: BufReader::new(stream), habits }
    }

    async fn ask(&mut self, question: &str) -> Result<String, Failure> {
        let stream = &mut self.stream;
        let ask = async || {
            stream.get_mut().write_all(format!("{question}\n").as_bytes()).await?;
            let mut answer = String::new();
            match stream.read_line(&mut answer).await? {
                0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                _ => Ok(answer.trim_end().to_owned()),
            }
        };
        self.habits.apply(ask).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client for Lines<S> {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let answer = self.ask(&format!("add {key}")).await?;
        if answer == "added" { Ok(()) } else { Err(answer.into()) }
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.ask("keys").await?.split_whitespace().map(str::to_owned).collect())
    }
}
