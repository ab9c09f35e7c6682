//! redis-rs, by its multiplexed connection, asks a small server of Redis' protocol (RESP) that knows GET, SET and INCR
//! (which redis-rs sends as INCRBY), and what a pool asks.

use std::io;

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::{Client, Failure, Habits, SharedStore};

/// The server.
pub async fn serve(store: SharedStore) -> io::Result<()> {
    let listener = TcpListener::bind("[::]:6379").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer_all(stream, store.clone()));
    }
}

async fn answer_all(stream: TcpStream, store: SharedStore) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let command = read_command(&mut stream).await?;
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let answer = match words[..] {
            ["INCR", key] | ["INCRBY", key, "1"] => match store.add(key).await {
                Ok(()) => format!(":{}\r\n", count(&store, key)),
                Err(error) => format!("-ERR {error}\r\n"),
            },
            ["GET", "keys"] => bulk(&store.keys().join(" ")),
            ["GET", key] => bulk(&count(&store, key).to_string()),
            // The client tells its name and version.
            ["CLIENT", ..] | ["SET", ..] | ["UNWATCH"] => "+OK\r\n".to_owned(),
            // A pool asks so whether a connection still works.
            ["PING", text] => bulk(text),
            _ => format!("-ERR unknown command {}\r\n", words.first().unwrap_or(&"")),
        };
        stream.get_mut().write_all(answer.as_bytes()).await?;
    }
}

fn count(store: &SharedStore, key: &str) -> usize {
    store.keys().iter().filter(|other| *other == key).count()
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// An array of bulk strings, which is how every command comes.
async fn read_command(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..read_length(stream, '*').await? {
        let mut word = vec![0; read_length(stream, '$').await?];
        stream.read_exact(&mut word).await?;
        stream.read_exact(&mut [0; 2]).await?;
        words.push(String::from_utf8(word).map_err(io::Error::other)?);
    }
    Ok(words)
}

async fn read_length(stream: &mut BufReader<TcpStream>, mark: char) -> io::Result<usize> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.strip_prefix(mark).and_then(|length| length.trim_end().parse().ok()).ok_or(io::ErrorKind::InvalidData.into())
}

/// A client.
pub struct Redis {
    connection: MultiplexedConnection,
    habits: Habits,
}

/// A client of the server at this host.
pub async fn connect(host: &str, habits: Habits) -> Result<Redis, Failure> {
    let client = redis::Client::open(format!("redis://{host}/"))?;
    let connection = habits.apply(async || Ok(client.get_multiplexed_async_connection().await?)).await?;
    Ok(Redis { connection, habits })
}

impl Client for Redis {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let connection = &self.connection;
        self.habits.apply(async || Ok(connection.clone().incr::<_, _, ()>(key, 1).await?)).await
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        let keys: String = self.connection.get("keys").await?;
        Ok(keys.split_whitespace().map(str::to_owned).collect())
    }
}
