//! Pooled HTTP clients over any network, and the exchange of one request for a whole answer.
//!
//! Owns hyper-util's client and the meaning of its errors.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::response::Parts;
use hyper::http::uri::Authority;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower::Service;

use super::net::Connect;

/// A pooled client whose connections come from `C`.
pub type HttpClient<C> = Client<HyperConnector<C>, Full<Bytes>>;

/// The protocol that both ends speak; it is configured, because nothing here negotiates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.0: a connection for each request.
    Http10,
    /// HTTP/1.1 with keep-alive; servers also answer HTTP/1.0 and then close the connection.
    #[default]
    Http1,
    /// HTTP/2 with prior knowledge: all requests to a host share one connection.
    Http2,
    /// Servers: whatever the client begins with. Clients begin with HTTP/1.1.
    Any,
}

/// How a client keeps its connections.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// How long an idle connection is kept. It must be below the server's limit, so that the server does not close a
    /// connection that a client is about to use.
    pub idle_limit: Option<Duration>,
    /// How many idle connections are kept for each host; with 0, every request opens its own.
    pub idle_per_host: usize,
    /// What the servers speak.
    pub protocol: Protocol,
}

impl Default for PoolConfig {
    fn default() -> PoolConfig {
        PoolConfig { idle_limit: Some(Duration::from_secs(10)), idle_per_host: 32, protocol: Protocol::Http1 }
    }
}

/// Makes a client. It spawns its connections on the tokio runtime that uses it.
pub fn http_client<C: Connect>(connector: C, config: &PoolConfig) -> HttpClient<C> {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        // Without a timer, idle connections are only closed when the next request checks the pool.
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(config.idle_limit)
        .pool_max_idle_per_host(config.idle_per_host)
        .http2_only(config.protocol == Protocol::Http2);
    if config.protocol == Protocol::Http2 {
        // Without keep-alive, one dead connection would hold up every request that shares it.
        builder.http2_keep_alive_interval(Duration::from_secs(2)).http2_keep_alive_timeout(Duration::from_secs(1));
    }
    builder.build(HyperConnector { connector })
}

/// The part of an address that names a host and a port.
///
/// # Panics
/// If the name is not a valid host name.
pub fn authority(host: &str, port: u16) -> Authority {
    // A literal IPv6 address is the only name with a colon.
    let text = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    text.parse().expect("configured host names are well-formed")
}

/// An address on a host.
///
/// # Panics
/// If the path is not valid.
pub fn address(host: &Authority, path: &str) -> Uri {
    let uri = Uri::builder().scheme("http").authority(host.clone()).path_and_query(path).build();
    uri.expect("paths are built from numbers and checked names, or come from valid requests")
}

/// Why an exchange has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// There was no connection: the request provably was not sent.
    #[error("could not connect")]
    Refused,
    /// The connection broke: the request may have been executed.
    #[error("connection broke: {0}")]
    Broken(&'static str),
    /// The limit passed: the request may have been executed.
    #[error("timed out")]
    TimedOut,
}

impl ExchangeError {
    /// The status with which a server reports that its upstream failed: 503 if the upstream did nothing; 502 or 504 if
    /// that is unknown.
    pub fn status(&self) -> StatusCode {
        match self {
            ExchangeError::Refused => StatusCode::SERVICE_UNAVAILABLE,
            ExchangeError::Broken(_) => StatusCode::BAD_GATEWAY,
            ExchangeError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

/// Sends a request and waits for the answer and its whole body, all within the limit.
///
/// The pool sends a request again if a reused connection turns out to be closed before anything was written to it; that
/// is not a retry, because the request was not sent.
pub async fn exchange<C: Connect>(
    client: &HttpClient<C>,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> Result<(Parts, Bytes), ExchangeError> {
    let whole = async { collect(send(client, request).await?).await };
    tokio::time::timeout(limit, whole).await.unwrap_or(Err(ExchangeError::TimedOut))
}

/// Waits for the answer's head within the limit and for its body without one: a classic mistake, here to be made on
/// purpose.
pub async fn exchange_timing_the_head_only<C: Connect>(
    client: &HttpClient<C>,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> Result<(Parts, Bytes), ExchangeError> {
    let head = tokio::time::timeout(limit, send(client, request)).await;
    collect(head.unwrap_or(Err(ExchangeError::TimedOut))?).await
}

async fn send<C: Connect>(
    client: &HttpClient<C>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, ExchangeError> {
    client.request(request).await.map_err(|error| {
        if error.is_connect() { ExchangeError::Refused } else { ExchangeError::Broken("before the answer") }
    })
}

async fn collect(answer: Response<Incoming>) -> Result<(Parts, Bytes), ExchangeError> {
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| ExchangeError::Broken("inside the answer"))?;
    Ok((parts, body.to_bytes()))
}

/// Adapts any [`Connect`] to hyper-util's client.
#[derive(Clone)]
pub struct HyperConnector<C> {
    connector: C,
}

impl<C: Connect> Service<Uri> for HyperConnector<C> {
    type Response = Wire<C::Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire<C::Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.connector.clone();
        Box::pin(async move {
            let Some(host) = uri.host() else {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the address has no host"));
            };
            let stream = connector.connect(host, uri.port_u16().unwrap_or(80)).await?;
            Ok(Wire { stream: TokioIo::new(stream) })
        })
    }
}

/// Adapts a stream to the connection type of hyper-util's client.
pub struct Wire<S> {
    stream: TokioIo<S>,
}

impl<S> Connection for Wire<S> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl<S: tokio::io::AsyncRead + Unpin> Read for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: tokio::io::AsyncWrite + Unpin> Write for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, from)
    }
}
