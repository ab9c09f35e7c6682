//! tokio-rustls with ring on both sides, over tokio's sockets.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::identity::Identity;
use crate::{Client, Failure, Habits, SharedStore, lines};

/// The server.
pub async fn serve(store: SharedStore, identity: &Identity) -> Result<(), Failure> {
    let acceptor = TlsAcceptor::from(Arc::new(identity.server(&[])?));
    let listener = TcpListener::bind("0.0.0.0:7443").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, store) = (acceptor.clone(), store.clone());
        tokio::spawn(async move { lines::answer_all(acceptor.accept(stream).await?, store).await });
    }
}

/// A client.
pub struct Tls {
    stream: BufReader<TlsStream<TcpStream>>,
    habits: Habits,
}

/// A client of the server at this host, which trusts this identity.
pub async fn connect(host: &str, identity: &Identity, habits: Habits) -> Result<Tls, Failure> {
    let connector = TlsConnector::from(Arc::new(identity.client(&[])?));
    let name = ServerName::try_from(host.to_owned())?;
    let open = async || Ok(connector.connect(name.clone(), TcpStream::connect((host, 7_443)).await?).await?);
    Ok(Tls { stream: BufReader::new(habits.apply(open).await?), habits })
}

impl Tls {
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

impl Client for Tls {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let answer = self.ask(&format!("add {key}")).await?;
        if answer == "added" { Ok(()) } else { Err(answer.into()) }
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.ask("keys").await?.split_whitespace().map(str::to_owned).collect())
    }
}
