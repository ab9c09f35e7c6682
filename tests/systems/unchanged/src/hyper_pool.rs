//! hyper-util's client with its pool and its own connector asks a hyper server.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::{Client, Failure, Habits, SharedStore};

type Body = Full<Bytes>;

/// The server.
pub async fn serve(store: SharedStore) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let store = store.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, store.clone()));
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
        });
    }
}

async fn answer(request: Request<Incoming>, store: SharedStore) -> Result<Response<Body>, Infallible> {
    let (status, body) = match request.uri().path() {
        "/" => (StatusCode::OK, store.keys().join(" ")),
        key => match store.add(&key[1..]).await {
            Ok(()) => (StatusCode::CREATED, String::new()),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        },
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    Ok(response)
}

/// A client.
pub struct Pool {
    client: Pooled<HttpConnector, Body>,
    host: String,
    habits: Habits,
}

/// A client of the server at this host.
pub fn connect(host: &str, habits: Habits) -> Pool {
    Pool { client: Pooled::builder(TokioExecutor::new()).build_http(), host: host.to_owned(), habits }
}

impl Pool {
    async fn ask(&mut self, path: &str) -> Result<String, Failure> {
        let uri: Uri = format!("http://{}/{path}", self.host).parse()?;
        let ask = async || {
            let response = self.client.get(uri.clone()).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            if !status.is_success() {
                return Err(status.to_string().into());
            }
            Ok(String::from_utf8(body.into())?)
        };
        self.habits.apply(ask).await
    }
}

impl Client for Pool {
    async fn add(&mut self, key: &str) -> Result<(), Failure> {
        self.ask(key).await.map(drop)
    }

    async fn keys(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.ask("").await?.split_whitespace().map(str::to_owned).collect())
    }
}
