//! A client of the store's values. It asks once: a write without a key cannot be sent again.
//!
//! Owns what an answer says of a write's effect.

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
    /// The store could not be reached, or refused before it did anything.
    #[error("nothing was done: {0}")]
    NotDone(String),
    /// Nobody knows whether it was done.
    #[error("nobody knows what came of it: {0}")]
    Unknown(String),
}

impl ValueError {
    /// What is known of the effect.
    pub fn effect(&self) -> Effect {
        match self {
            ValueError::NotDone(_) => Effect::None,
            ValueError::Unknown(_) => Effect::Unknown,
        }
    }
}

impl<C: Connect> ValueClient<C> {
    /// A client of the store with this name and port, which waits for each answer until the limit.
    pub fn new(connector: C, store: &str, port: u16, limit: Duration) -> ValueClient<C> {
        let http = http_client(connector, &PoolConfig::default());
        ValueClient { http, store: authority(store, port), limit }
    }

    /// Reads a value; none if it was never written.
    pub async fn get(&self, key: &str) -> Result<Option<Versioned>, ValueError> {
        match self.ask(Method::GET, key, Bytes::new(), None).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, body) => versioned(status, &body).map(Some),
        }
    }

    /// Writes a value, if this version is there (0 stands for nothing) or whatever is there; none if another version is.
    pub async fn put(&self, key: &str, value: &str, expected: Option<u64>) -> Result<Option<Versioned>, ValueError> {
        let body =
            serde_json::to_vec(&NewValue { value: value.to_owned() }).expect("a value has no maps with odd keys");
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
                let tag = HeaderValue::from_str(&format!("\"{version}\"")).expect("digits make a header");
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

/// The value in a good answer; any other says by its status whether something was done.
fn versioned(status: StatusCode, body: &[u8]) -> Result<Versioned, ValueError> {
    match status {
        StatusCode::OK => serde_json::from_slice(body).map_err(|error| ValueError::Unknown(error.to_string())),
        _ if status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE => {
            Err(ValueError::NotDone(format!("status {}", status.as_u16())))
        }
        _ => Err(ValueError::Unknown(format!("status {}", status.as_u16()))),
    }
}
