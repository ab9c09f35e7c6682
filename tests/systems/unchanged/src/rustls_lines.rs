//! tokio-rustls with ring on both sides, over tokio's sockets.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::KeyLog;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::identity::Identity;
use crate::lines::{self, Lines};
use crate::{Failure, Habits, SharedStore};

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

/// A client of the server at this host, which trusts this identity, and logs its secrets.
pub async fn connect(
    host: &str,
    identity: &Identity,
    key_log: Arc<dyn KeyLog>,
    habits: Habits,
) -> Result<Lines<TlsStream<TcpStream>>, Failure> {
    let mut config = identity.client(&[])?;
    config.key_log = key_log;
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from(host.to_owned())?;
    let open = async || Ok(connector.connect(name.clone(), TcpStream::connect((host, 7_443)).await?).await?);
    Ok(Lines::new(habits.apply(open).await?, habits))
}
