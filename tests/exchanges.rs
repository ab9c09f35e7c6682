//! HTTP as it passes over the simulated network: what real clients and servers exchange is what is read off the wire,
//! and promises about it are judged without instrumentation.

#[path = "exchanges/fuzz.rs"]
mod fuzz;
#[path = "exchanges/promises.rs"]
mod promises;
#[path = "exchanges/systems.rs"]
mod systems;

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use squall::check::http::HttpPolicy;
use squall::internal::run::{Detail, Run, run};
use squall::prelude::*;
use squall::trace::exchange::{Ending, Exchange, HttpVersion};

/// A handler of requests.
trait Handler<Fut>: Fn(HostContext, Request<Bytes>) -> Fut + Clone + Send + Sync + 'static {}
impl<Fut, F: Fn(HostContext, Request<Bytes>) -> Fut + Clone + Send + Sync + 'static> Handler<Fut> for F {}

/// A server of both versions of HTTP.
fn server<Fut>(handler: impl Handler<Fut>) -> impl Fn(HostContext) -> BoxFuture + Send + Sync + Clone + 'static
where
    Fut: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    move |cx| {
        let handler = handler.clone();
        Box::pin(async move {
            let listener = cx.listener(80);
            loop {
                let (stream, _) = listener.accept().await?;
                let (cx, handler) = (cx.clone(), handler.clone());
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let (cx, handler) = (cx.clone(), handler.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        Ok::<_, hyper::Error>(handler(cx, Request::from_parts(parts, body)).await)
                    }
                });
                tokio::spawn(async move {
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
    }
}

type BoxFuture = std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>>>>;

/// A connection that speaks HTTP/1.1.
async fn http1(cx: &HostContext, host: &str) -> std::io::Result<hyper::client::conn::http1::SendRequest<Full<Bytes>>> {
    let stream = cx.connector().connect(host, 80).await?;
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// A connection that speaks HTTP/2.
async fn http2(cx: &HostContext, host: &str) -> std::io::Result<hyper::client::conn::http2::SendRequest<Full<Bytes>>> {
    let stream = cx.connector().connect(host, 80).await?;
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let builder = Request::builder().method(method).uri(format!("http://server{path}"));
    let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(Full::new(body.into())).unwrap()
}

async fn read(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// A run that reads exchanges.
fn observed(scenario: Scenario) -> Run {
    let scenario = scenario.http_promises(&HttpPolicy::default()).settle_for(secs(1));
    run(&scenario, &scenario.case(Seed(1)), Detail::Lean)
}

/// The exchanges in a line each.
fn lines(run: &Run) -> Vec<String> {
    let line = |exchange: &Exchange| {
        let length = exchange.response.as_ref().map_or(0, |response| response.body_length);
        format!("{exchange}: {} B, {length} B, {}", exchange.request.body_length, exchange.ending)
    };
    run.trace.exchanges().iter().map(line).collect()
}
