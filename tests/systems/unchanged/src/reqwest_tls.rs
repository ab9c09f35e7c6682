//! reqwest asks hyper by HTTP/2 over TLS: both sides agree on it by ALPN. The routes are those of [`crate::reqwest_axum`].

use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use reqwest::{Certificate, Version};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::identity::Identity;
use crate::reqwest_axum::{Http, router};
use crate::{Client, Failure, Habits, SharedStore};

/// The server.
pub async fn serve(store: SharedStore, identity: &Identity) -> Result<(), Failure> {
    let acceptor = TlsAcceptor::from(Arc::new(identity.server(&["h2", "http/1.1"])?));
    let service = TowerToHyperService::new(router(store));
    let listener = TcpListener::bind("0.0.0.0:443").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, service) = (acceptor.clone(), service.clone());
        tokio::spawn(async move {
            let stream = TokioIo::new(acceptor.accept(stream).await?);
            Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
        });
    }
}

/// A client.
pub struct Https {
    http: Http,
    habits: Habits,
}

/// A client of the server at this host, which trusts this identity.
pub fn connect(host: &str, identity: &Identity, habits: Habits) -> Result<Https, Failure> {
    let certificate = Certificate::from_der(identity.certificate())?;
    let builder = reqwest::Client::builder().add_root_certificate(certificate).https_only(true);
    Ok(Https { http: Http { client: builder.build()?, url: format!("https://{host}/keys") }, habits })
}

impl Client for Https {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        let (client, url) = (&self.http.client, format!("{}/{key}", self.http.url));
        let post = async || Ok(client.post(&url).send().await?.error_for_status()?);
        match self.habits.apply(post).await?.version() {
            Version::HTTP_2 => Ok(()),
            other => Err(format!("the answer came by {other:?}").into()),
        }
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        self.http.keys().await
    }
}
