//! A client of the store's values. It does not retry, because a write without an idempotency key cannot be sent again.
//!
//! Owns the mapping from answers to what is known about a write's effect.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::http::uri::Authority;
use hyper::{Method, Request, StatusCode};

use super::client::Effect;
use super::message::{DEADLINE_HEADER, deadline_value};
use super::net::Connect;
use super::pool::{ExchangeError, HttpClient, PoolConfig, address, authority, exchange, http_client};
use super::values::{NewValue, PATH, Versioned};

/// Reads and writes values.
pub struct ValueClient<C: Connect> {
    http: HttpClient<C>,
    store: Authority,
    limit: Duration,
}

/// Why a value was not read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The store was unreachable, or refused before it did anything.
    #[error("not executed: {0}")]
    NotDone(String),
    /// It may have been executed.
    #[error("effect unknown: {0}")]
    Unknown(String),
}

impl ValueError {
    /// What is known about the effect.
    pub fn effect(&self) -> Effect {
        match self {
            ValueError::NotDone(_) => Effect::None,
            ValueError::Unknown(_) => Effect::Unknown,
        }
    }
}

impl<C: Connect> ValueClient<C> {
    /// A client of the store with this name and port, which waits at most `limit` for each answer.
    pub fn new(connector: C, store: &str, port: u16, limit: Duration) -> ValueClient<C> {
        let http = http_client(connector, &PoolConfig::default());
        ValueClient { http, store: authority(store, port), limit }
    }

    /// Reads a value; `None` if it was never written.
    pub async fn get(&self, key: &str) -> Result<Option<Versioned>, ValueError> {
        match self.ask(Method::GET, key, Bytes::new(), None).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, body) => versioned(status, &body).map(Some),
        }
    }

    /// Writes a value and returns the new version: over any version, or only over the expected one (0 means that the
    /// key has no value yet). `None` if the key has another version.
    pub async fn put(&self, key: &str, value: &str, expected: Option<u64>) -> Result<Option<Versioned>, ValueError> {
        let body = serde_json::to_vec(&NewValue { value: value.to_owned() }).expect("a value serializes to JSON");
        match self.ask(Method::PUT, key, body.into(), expected).await? {
            (StatusCode::PRECONDITION_FAILED, _) => Ok(None),
            (status, body) => versioned(status, &body).map(Some),
        }
    }

    async fn ask(
        &self,
        method: Method,
        key: &str,
        body: Bytes,
        expected: Option<u64>,
    ) -> Result<(StatusCode, Bytes), ValueError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = address(&self.store, &format!("{PATH}{key}"));
        let headers = request.headers_mut();
        headers.insert(DEADLINE_HEADER, deadline_value(self.limit));
        match expected {
            Some(0) => drop(headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"))),
            Some(version) => {
                let tag = HeaderValue::from_str(&format!("\"{version}\"")).expect("digits are a valid header value");
                headers.insert(IF_MATCH, tag);
            }
            None => {}
        }
        match exchange(&self.http, request, self.limit).await {
            Ok((parts, body)) => Ok((parts.status, body)),
            Err(error @ ExchangeError::Refused) => Err(ValueError::NotDone(error.to_string())),
            Err(error) => Err(ValueError::Unknown(error.to_string())),
        }
    }
}

/// The value in a successful answer.
///
/// # Errors
/// Any other answer; its status says whether something may have been executed.
fn versioned(status: StatusCode, body: &[u8]) -> Result<Versioned, ValueError> {
    match status {
        StatusCode::OK => serde_json::from_slice(body).map_err(|error| ValueError::Unknown(error.to_string())),
        _ if status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE => {
            Err(ValueError::NotDone(format!("status {}", status.as_u16())))
        }
        _ => Err(ValueError::Unknown(format!("status {}", status.as_u16()))),
    }
}
