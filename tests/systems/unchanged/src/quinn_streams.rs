//! quinn on both sides, with its own sockets: one connection of QUIC, and a stream of it for each question.

use std::net::Ipv4Addr;
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Endpoint, Incoming, ServerConfig};

use crate::identity::Identity;
use crate::{Client, Failure, Habits, SharedStore, lines};

const PORT: u16 = 4_433;
const PROTOCOL: &str = "keys";

/// The server.
pub async fn serve(store: SharedStore, identity: &Identity) -> Result<(), Failure> {
    let config = QuicServerConfig::try_from(identity.server(&[PROTOCOL])?)?;
    let config = ServerConfig::with_crypto(Arc::new(config));
    let endpoint = Endpoint::server(config, (Ipv4Addr::UNSPECIFIED, PORT).into())?;
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(answer_all(incoming, store.clone()));
    }
    Ok(())
}

async fn answer_all(incoming: Incoming, store: SharedStore) -> Result<(), Failure> {
    let connection = incoming.await?;
    loop {
        let (send, receive) = connection.accept_bi().await?;
        tokio::spawn(lines::answer_all(tokio::io::join(receive, send), store.clone()));
    }
}

/// A client.
pub struct Quic {
    /// The endpoint's sockets are closed with it.
    _endpoint: Endpoint,
    connection: Connection,
    habits: Habits,
}

/// A client of the server at this host, which trusts this identity.
pub async fn connect(host: &str, identity: &Identity, habits: Habits) -> Result<Quic, Failure> {
    let config = QuicClientConfig::try_from(identity.client(&[PROTOCOL])?)?;
    let config = ClientConfig::new(Arc::new(config));
    let endpoint = Endpoint::client((Ipv4Addr::UNSPECIFIED, 0).into())?;
    let open = async || {
        let address = tokio::net::lookup_host((host, PORT)).await?.next().ok_or("a name without an address")?;
        Ok(endpoint.connect_with(config.clone(), address, host)?.await?)
    };
    let connection = habits.apply(open).await?;
    Ok(Quic { _endpoint: endpoint.clone(), connection, habits })
}

impl Quic {
    async fn ask(&self, question: &str) -> Result<String, Failure> {
        let ask = async || {
            let (mut send, mut receive) = self.connection.open_bi().await?;
            send.write_all(format!("{question}\n").as_bytes()).await?;
            send.finish()?;
            let answer = receive.read_to_end(1 << 20).await?;
            Ok(String::from_utf8(answer)?.trim_end().to_owned())
        };
        self.habits.apply(ask).await
    }
}

impl Client for Quic {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let answer = self.ask(&format!("add {key}")).await?;
        if answer == "added" { Ok(()) } else { Err(answer.into()) }
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.ask("keys").await?.split_whitespace().map(str::to_owned).collect())
    }
}
