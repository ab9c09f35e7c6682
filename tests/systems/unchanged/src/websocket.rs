//! tokio-tungstenite on both sides.

use std::io;

use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_async, connect_async};

use crate::{Client, Failure, Habits, SharedStore};

/// The server.
pub async fn serve(store: SharedStore) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:9001").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer_all(stream, store.clone()));
    }
}

async fn answer_all(stream: TcpStream, store: SharedStore) -> Result<(), Failure> {
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let answer = match text.split_once(' ') {
            Some(("add", key)) => {
                store.add(key).await?;
                text
            }
            _ => store.keys().join(" ").into(),
        };
        socket.send(Message::Text(answer)).await?;
    }
    Ok(())
}

/// A client.
pub struct WebSocket {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    habits: Habits,
}

/// A client of the server at this host.
pub async fn connect(host: &str, habits: Habits) -> Result<WebSocket, Failure> {
    let (socket, _) = habits.apply(async || Ok(connect_async(format!("ws://{host}:9001/")).await?)).await?;
    Ok(WebSocket { socket, habits })
}

impl WebSocket {
    async fn ask(&mut self, question: &str) -> Result<String, Failure> {
        let socket = &mut self.socket;
        let ask = async || {
            socket.send(Message::text(question)).await?;
            loop {
                match socket.next().await.ok_or("the server has closed")?? {
                    Message::Text(answer) => return Ok(answer.to_string()),
                    Message::Close(_) => return Err("the server closes".into()),
                    _ => {}
                }
            }
        };
        self.habits.apply(ask).await
    }
}

impl Client for WebSocket {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let question = format!("add {key}");
        let echo = self.ask(&question).await?;
        if echo == question { Ok(()) } else { Err(format!("the echo is {echo}").into()) }
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.ask("keys").await?.split_whitespace().map(str::to_owned).collect())
    }
}
