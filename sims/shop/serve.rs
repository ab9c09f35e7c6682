//! Serves HTTP on a listener until asked to stop, and then stops without failing a request.
//!
//! Owns connections, their limits and the order of a graceful shutdown. The handler that it is given owns the routes.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::message::{Answer, Body, refusal};
use super::net::Listen;
use super::observe::Observer;
use super::pool::Protocol;

/// How a server treats its connections.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// How long a connection may be idle between requests and within a request's head. It must exceed the limit of
    /// every client's pool, so that the client is the one to close.
    pub idle_limit: Duration,
    /// How long a server that was asked to stop still accepts, while it reports that it is not ready. It must exceed
    /// the time that balancers need to notice: fall x (interval + timeout).
    pub drain_delay: Duration,
    /// How long requests in flight may take after that, before they are aborted.
    pub drain_limit: Option<Duration>,
    /// The most connections; more wait in the kernel's queue until one of them is closed.
    pub connection_limit: usize,
    /// The most requests in flight; more are refused at once, before any work.
    pub in_flight_limit: usize,
    /// The paths that are exempt from that limit: a busy server must not look like a dead one.
    pub unlimited_paths: &'static [&'static str],
    /// The protocol that the clients speak.
    pub protocol: Protocol,
    /// Makes what comes between the server and its routes, once for each start.
    pub layer: Option<fn() -> Layer>,
}

/// What comes between a server and its routes: it is given each request and the routes, and answers.
pub type Layer = Arc<dyn Fn(Request<Body>, Routes) -> Answering + Send + Sync>;

/// The routes, for one request.
pub type Routes = Box<dyn FnOnce(Request<Body>) -> Answering + Send>;

/// An answer to come.
pub type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl Default for ServeConfig {
    fn default() -> ServeConfig {
        ServeConfig {
            idle_limit: Duration::from_secs(30),
            drain_delay: Duration::from_secs(5),
            drain_limit: Some(Duration::from_secs(5)),
            connection_limit: 4096,
            in_flight_limit: 256,
            unlimited_paths: &["/health", "/ready", "/gateway/health"],
            protocol: Protocol::Http1,
            layer: None,
        }
    }
}

/// A request to stop, which any number of tasks can make and wait for. Clones share one state.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: Arc<watch::Sender<bool>>,
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown { requested: Arc::new(watch::Sender::new(false)) }
    }
}

impl Shutdown {
    /// A signal that has not been requested yet.
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// Asks to stop; asking again changes nothing.
    pub fn request(&self) {
        self.requested.send_replace(true);
    }

    /// Whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// The number of clones, including this one; each connection of a server holds one.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.requested)
    }

    /// Waits until a stop is requested.
    pub async fn requested(&self) {
        let mut receiver = self.requested.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = receiver.wait_for(|requested| *requested).await;
    }
}

/// Serves until shutdown is requested and then drains: not ready, drain delay, stop accepting, finish, abort.
///
/// Dropping the future closes the listener and aborts all connections at once, as the death of a process would. (With
/// HTTP/2, hyper runs each request as a separate task, which ends slightly later.)
pub async fn serve<L, S, H, F>(
    mut listener: L,
    config: ServeConfig,
    shutdown: Shutdown,
    observer: Observer,
    state: S,
    handler: H,
) -> io::Result<()>
where
    L: Listen,
    S: Clone + Send + Sync + 'static,
    H: Fn(S, Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let answer = move |request| handler(state.clone(), request);
    let layer = config.layer.map(|make| make());
    let (closing, in_flight) = (Shutdown::new(), Arc::default());
    let server = Server { config, layer, draining: shutdown, closing, in_flight, observer };
    // A `JoinSet` aborts its tasks when it is dropped, so no connection outlives its server.
    let mut connections = JoinSet::new();
    server.observer.ready(true);

    accept_while(&mut listener, &server, &mut connections, &answer, server.draining.requested()).await;
    server.observer.ready(false);
    tracing::info!("draining");
    let delay = tokio::time::sleep(server.config.drain_delay);
    accept_while(&mut listener, &server, &mut connections, &answer, delay).await;

    drop(listener);
    server.closing.request();
    let all_closed = async { while connections.join_next().await.is_some() {} };
    match server.config.drain_limit {
        None => all_closed.await,
        Some(limit) => {
            if tokio::time::timeout(limit, all_closed).await.is_err() {
                tracing::warn!(connections = connections.len(), "aborting what is still in flight");
            }
        }
    }
    Ok(())
}

/// Accepts connections until `until` completes.
async fn accept_while<L, H, F>(
    listener: &mut L,
    server: &Server,
    connections: &mut JoinSet<()>,
    handler: &H,
    until: impl Future<Output = ()>,
) where
    L: Listen,
    H: Fn(Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let mut until = std::pin::pin!(until);
    loop {
        tokio::select! {
            biased;
            () = &mut until => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < server.config.connection_limit => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(server.clone().serve_connection(stream, handler.clone()));
                }
                Err(error) => {
                    // The process may be out of file descriptors for a moment; retrying at once would only spin.
                    tracing::warn!(%error, "could not accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
}

/// The state that all connections of one server share.
#[derive(Clone)]
struct Server {
    config: ServeConfig,
    layer: Option<Layer>,
    draining: Shutdown,
    closing: Shutdown,
    in_flight: Arc<AtomicUsize>,
    observer: Observer,
}

impl Server {
    /// Answers the requests of one connection until it ends or the server closes.
    async fn serve_connection<I, H, F>(self, stream: I, handler: H)
    where
        I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        H: Fn(Request<Body>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            let (server, handler) = (self.clone(), handler.clone());
            async move { Ok::<_, Infallible>(server.answer(request.map(BodyExt::boxed), handler).await) }
        });
        let stream = TokioIo::new(stream);
        // An error here means that the peer went away or broke the protocol; nobody is left to report it to.
        match self.config.protocol {
            Protocol::Http10 | Protocol::Http1 => {
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    // hyper starts this timer when it waits for a head, so it limits the idle time as well.
                    .header_read_timeout(self.config.idle_limit)
                    .serve_connection(stream, service);
                self.finish(connection).await;
            }
            Protocol::Http2 => {
                let connection = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .keep_alive_interval(self.config.idle_limit)
                    .keep_alive_timeout(Duration::from_secs(5))
                    .serve_connection(stream, service);
                self.finish(connection).await;
            }
            Protocol::Any => {
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http1().timer(TokioTimer::new()).header_read_timeout(self.config.idle_limit);
                builder
                    .http2()
                    .timer(TokioTimer::new())
                    .keep_alive_interval(self.config.idle_limit)
                    .keep_alive_timeout(Duration::from_secs(5));
                self.finish(builder.serve_connection(stream, service)).await;
            }
        }
    }

    /// Drives a connection to its end; once the server closes, it ends after the request in flight.
    async fn finish(&self, connection: impl GracefulConnection) {
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = self.closing.requested() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    /// Answers one request, unless there are too many already.
    async fn answer<H, F>(self, request: Request<Body>, handler: H) -> Answer
    where
        H: Fn(Request<Body>) -> F + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let version = request.version();
        let mut served = Served::begin(&self.observer);
        let slot = Slot::take(&self.in_flight);
        let too_many = slot.taken > self.config.in_flight_limit;
        let mut answer = if too_many && !self.config.unlimited_paths.contains(&request.uri().path()) {
            refusal("too many requests in flight")
        } else if let Some(layer) = &self.layer {
            layer(request, Box::new(move |request| Box::pin(handler(request)))).await
        } else {
            handler(request).await
        };
        if self.draining.is_requested() && version != Version::HTTP_2 {
            // The peer's pool then drops this connection before the server has to close it.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        served.status = Some(answer.status().as_u16());
        answer
    }
}

/// One request in progress; dropping it, however the request ends, tells the observer.
struct Served<'a> {
    observer: &'a Observer,
    began: Instant,
    status: Option<u16>,
}

impl<'a> Served<'a> {
    fn begin(observer: &'a Observer) -> Served<'a> {
        observer.request_started();
        Served { observer, began: Instant::now(), status: None }
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.observer.request_ended(self.status, self.began.elapsed());
    }
}

/// One of the requests that are counted; dropping it, however the request ends, takes it off the count.
pub struct Slot<'a> {
    count: &'a AtomicUsize,
    /// How many slots were taken, with this one.
    pub taken: usize,
}

impl<'a> Slot<'a> {
    /// Takes one more.
    pub fn take(count: &'a AtomicUsize) -> Slot<'a> {
        Slot { count, taken: count.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
