//! async-nats on both sides of a small NATS server: a service subscribes to subjects, and clients send it requests.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{Client, Failure, Habits, SharedStore};

/// Who subscribes to what: by connection and its number of the subscription, the subject, and where to send messages.
type Subscriptions = Arc<Mutex<BTreeMap<(u64, String), (String, UnboundedSender<Vec<u8>>)>>>;

/// The NATS server, and the service that keeps keys, which is a client of it.
pub async fn serve(store: SharedStore) -> Result<(), Failure> {
    let listener = TcpListener::bind("0.0.0.0:4222").await?;
    tokio::spawn(async move { answer_requests(store).await });
    let subscriptions = Subscriptions::default();
    for number in 0_u64.. {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(converse(number, stream, subscriptions.clone()));
    }
    Ok(())
}

async fn answer_requests(store: SharedStore) -> Result<(), Failure> {
    let client = async_nats::connect("127.0.0.1").await?;
    let mut requests = client.subscribe("keys.*").await?;
    while let Some(request) = requests.next().await {
        let Some(inbox) = request.reply else { continue };
        let key = String::from_utf8(request.payload.to_vec())?;
        let answer = match request.subject.as_str() {
            "keys.add" => store.add(&key).await.map_or_else(|error| format!("failed: {error}"), |()| "added".into()),
            _ => store.keys().join(" "),
        };
        client.publish(inbox, answer.into()).await?;
    }
    Ok(())
}

/// Serves one connection until it ends.
async fn converse(number: u64, stream: TcpStream, subscriptions: Subscriptions) {
    let (reader, mut writer) = stream.into_split();
    let (send, mut messages) = unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            if writer.write_all(&message).await.is_err() {
                break;
            }
        }
    });
    let _ =
        send.send(b"INFO {\"version\":\"2.10.0\",\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n".to_vec());
    let _ = follow(number, BufReader::new(reader), &send, &subscriptions).await;
    subscriptions.lock().unwrap().retain(|(owner, _), _| *owner != number);
}

/// Follows what a client says, line by line.
async fn follow(
    number: u64,
    mut reader: BufReader<OwnedReadHalf>,
    send: &UnboundedSender<Vec<u8>>,
    subscriptions: &Subscriptions,
) -> io::Result<()> {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["PING"] => drop(send.send(b"PONG\r\n".to_vec())),
            ["SUB", subject, id] => {
                let subscription = (subject.to_owned(), send.clone());
                subscriptions.lock().unwrap().insert((number, id.to_owned()), subscription);
            }
            ["UNSUB", id] => drop(subscriptions.lock().unwrap().remove(&(number, id.to_owned()))),
            ["PUB", subject, ref between @ .., length] => {
                let mut payload = vec![0; length.parse().map_err(io::Error::other)?];
                reader.read_exact(&mut payload).await?;
                reader.read_exact(&mut [0; 2]).await?;
                publish(subscriptions, subject, between.first().copied(), &payload);
            }
            ["CONNECT", ..] | ["PONG"] => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Sends a message to all who subscribe to its subject.
fn publish(subscriptions: &Subscriptions, subject: &str, inbox: Option<&str>, payload: &[u8]) {
    for ((_, id), (pattern, send)) in subscriptions.lock().unwrap().iter() {
        if covers(pattern, subject) {
            let inbox = inbox.map(|inbox| format!("{inbox} ")).unwrap_or_default();
            let head = format!("MSG {subject} {id} {inbox}{}\r\n", payload.len());
            // A connection that has ended needs no more messages.
            let _ = send.send([head.as_bytes(), payload, b"\r\n"].concat());
        }
    }
}

/// Whether a subject is among those that a pattern names, in which `*` stands for any one part.
fn covers(pattern: &str, subject: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('.'), subject.split('.'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if pattern == "*" || pattern == part => {}
            _ => return false,
        }
    }
}

/// A client.
pub struct Nats {
    client: async_nats::Client,
    habits: Habits,
}

/// A client of the server at this host.
pub async fn connect(host: &str, habits: Habits) -> Result<Nats, Failure> {
    let options = async_nats::ConnectOptions::new().request_timeout(habits.limit);
    let client = habits.apply(async || Ok(options.clone().connect(host).await?)).await?;
    Ok(Nats { client, habits })
}

impl Nats {
    async fn ask(&self, subject: &'static str, payload: &str) -> Result<String, Failure> {
        let ask = async || Ok(self.client.request(subject, payload.to_owned().into()).await?);
        Ok(String::from_utf8(self.habits.apply(ask).await?.payload.to_vec())?)
    }
}

impl Client for Nats {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let answer = self.ask("keys.add", key).await?;
        if answer == "added" { Ok(()) } else { Err(answer.into()) }
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.ask("keys.all", "").await?.split_whitespace().map(str::to_owned).collect())
    }
}
