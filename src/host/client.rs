//! An HTTP client for programs that play users: hyper-util's, with a limit for each attempt.

use std::error::Error;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;

use super::random::Random;
use crate::net::Connector;

type Inner = legacy::Client<Connector, Full<Bytes>>;

/// The connections of one process or client, which are made when they are first needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool(Arc<OnceLock<Inner>>);

/// The limit of an attempt that has none of its own.
const LIMIT: Duration = Duration::from_secs(2);

/// The first wait before a request is sent again, at most; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// An HTTP client of one user, with a pool of connections ([`HostContext::http`](super::HostContext::http)).
///
/// An attempt that has no complete response after its limit (2 s unless [`Http::limit`] says otherwise) is given up, and its
/// connection is closed. The host of a URI is the name of a host of the scenario.
///
/// ```
/// use squall::prelude::*;
///
/// async fn buyer(cx: HostContext) -> std::io::Result<()> {
///     let http = cx.http().limit(millis(500)).attempts(3);
///     let answer = http.put("http://store/items/7", "tea").await?;
///     if !answer.status().is_success() {
///         return Err(std::io::Error::other(answer.status().to_string()));
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Http {
    inner: Inner,
    random: Random,
    limit: Duration,
    attempts: u32,
}

impl Http {
    pub(crate) fn new(pool: &Pool, connector: impl FnOnce() -> Connector, random: Random) -> Http {
        let inner = pool.0.get_or_init(|| legacy::Client::builder(TokioExecutor::new()).build(connector()));
        Http { inner: inner.clone(), random, limit: LIMIT, attempts: 1 }
    }

    /// Sets the limit of each attempt, up to the end of the response's body.
    pub fn limit(mut self, limit: Duration) -> Http {
        self.limit = limit;
        self
    }

    /// Sets how many attempts a request makes at most that may be sent again (GET, HEAD, OPTIONS, TRACE, PUT and DELETE; RFC
    /// 9110, section 9.2.2). An attempt without a response is followed by the next one after a wait, drawn from the upper half
    /// of 100 ms, 200 ms, and so on up to 2 s. A response of any status ends the request.
    ///
    /// # Panics
    /// If there are none.
    pub fn attempts(mut self, attempts: u32) -> Http {
        assert!(attempts > 0, "a request makes at least one attempt");
        self.attempts = attempts;
        self
    }

    /// Asks for what is at this URI, and reads the whole body.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is no URI, `TimedOut` after the limit, and `Other` with hyper's reason.
    pub async fn get(&self, uri: &str) -> io::Result<Response<Bytes>> {
        self.method(Method::GET, uri, Bytes::new()).await
    }

    /// Posts a body to this URI, and reads the whole body of the response.
    ///
    /// # Errors
    /// As for [`Http::get`]. Whether the request had an effect is then unknown.
    pub async fn post(&self, uri: &str, body: impl Into<Bytes>) -> io::Result<Response<Bytes>> {
        self.method(Method::POST, uri, body.into()).await
    }

    /// Puts a body at this URI, and reads the whole body of the response.
    ///
    /// # Errors
    /// As for [`Http::get`].
    pub async fn put(&self, uri: &str, body: impl Into<Bytes>) -> io::Result<Response<Bytes>> {
        self.method(Method::PUT, uri, body.into()).await
    }

    /// Deletes what is at this URI, and reads the whole body of the response.
    ///
    /// # Errors
    /// As for [`Http::get`].
    pub async fn delete(&self, uri: &str) -> io::Result<Response<Bytes>> {
        self.method(Method::DELETE, uri, Bytes::new()).await
    }

    async fn method(&self, method: Method, uri: &str, body: Bytes) -> io::Result<Response<Bytes>> {
        let request = Request::builder().method(method).uri(uri).body(body);
        self.request(request.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("{uri}: {error}")))?)
            .await
    }

    /// Sends a request with headers of its own, and reads the whole body of the response.
    ///
    /// # Errors
    /// As for [`Http::get`].
    pub async fn request(&self, request: Request<Bytes>) -> io::Result<Response<Bytes>> {
        let attempts = if request.method().is_idempotent() { self.attempts } else { 1 };
        for failed in 1..attempts {
            if let Ok(response) = self.attempt(request.clone()).await {
                return Ok(response);
            }
            let longest = FIRST_WAIT.saturating_mul(1 << (failed - 1).min(16)).min(LONGEST_WAIT);
            tokio::time::sleep(self.random.duration(longest / 2..longest)).await;
        }
        self.attempt(request).await
    }

    async fn attempt(&self, request: Request<Bytes>) -> io::Result<Response<Bytes>> {
        let whole = async {
            let (parts, body) = self.inner.request(request.map(Full::new)).await.map_err(reasons)?.into_parts();
            let body = body.collect().await.map_err(reasons)?.to_bytes();
            Ok(Response::from_parts(parts, body))
        };
        match tokio::time::timeout(self.limit, whole).await {
            Ok(result) => result,
            Err(_) => {
                let why = format!("no complete response within {:?}", self.limit);
                Err(io::Error::new(io::ErrorKind::TimedOut, why))
            }
        }
    }
}

/// An error with its causes, which hyper leaves out of its own text.
fn reasons(error: impl Error) -> io::Error {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    io::Error::other(text)
}
