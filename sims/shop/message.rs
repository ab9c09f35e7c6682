//! The shop's messages: JSON bodies, headers, and how bodies are read and answered.
//!
//! Owns the wire format of all programs.

use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use rand_0_9::Rng;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The header with the milliseconds that the caller will still wait for this request.
pub const DEADLINE_HEADER: &str = "x-deadline-ms";
/// The header with the idempotency key: the same in all attempts of a call, which the store executes once.
pub const KEY_HEADER: &str = "idempotency-key";
/// The header that identifies the user's call in every program, even if its attempts carry different keys.
pub const CALL_HEADER: &str = "x-request-id";

/// The longest request body that a server reads.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// The body of a request, read while it arrives.
pub type Body = BoxBody<Bytes, hyper::Error>;

/// An answer whose body is complete before it is sent.
pub type Answer = Response<Full<Bytes>>;

/// An order as a user places it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The name of the article.
    pub sku: String,
    /// The number of pieces, 1 to 1000.
    pub quantity: u32,
    /// The price of one piece that the buyer agrees to; the order is refused at any other. `None`: at any price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cents: Option<u64>,
}

impl Order {
    /// An order at any price.
    pub fn new(sku: impl Into<String>, quantity: u32) -> Order {
        Order { sku: sku.into(), quantity, cents: None }
    }

    /// Checks the order.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn validate(&self) -> Result<(), &'static str> {
        if !is_sku(&self.sku) {
            return Err("sku must be 1 to 64 letters, digits, dots, dashes or underscores");
        }
        if !(1..=1000).contains(&self.quantity) {
            return Err("quantity must be 1 to 1000");
        }
        Ok(())
    }
}

/// Whether a text can name an article: it must fit into a path without escapes.
pub fn is_sku(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// An order as an api server passes it to the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedOrder {
    /// The idempotency key.
    pub key: String,
    /// The call that asked for it; empty if the client named none.
    pub call: String,
    /// The name of the article.
    pub sku: String,
    /// The number of pieces.
    pub quantity: u32,
    /// The agreed price of one piece, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cents: Option<u64>,
}

/// An accepted order; also the record that the store keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReceipt {
    /// Numbered from 1, in the order of the commits.
    pub id: u64,
    /// The idempotency key.
    pub key: String,
    /// The call that first asked for it. Two orders of the same call are a duplicate.
    pub call: String,
    /// The name of the article.
    pub sku: String,
    /// The number of pieces.
    pub quantity: u32,
    /// The agreed price of one piece, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cents: Option<u64>,
}

/// The price of an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The name of the article.
    pub sku: String,
    /// The price of one piece.
    pub cents: u64,
    /// Whether the price is an older one, because the pricing service was unavailable.
    #[serde(default)]
    pub degraded: bool,
    /// The age of the price in milliseconds; zero if it is fresh.
    #[serde(default)]
    pub age_ms: u64,
}

/// A user, as claimed at a login or as verified from a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's name.
    pub user: String,
}

/// The proof of a login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The bearer token.
    pub token: String,
}

/// The time at which the answer to a request becomes useless.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    at: Instant,
}

impl Expiry {
    /// Reads how long the caller will wait from now on, capped at the server's own limit.
    pub fn from_headers(headers: &HeaderMap, own_limit: Duration) -> Expiry {
        let requested = headers.get(DEADLINE_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        let limit = requested.map_or(own_limit, |millis| own_limit.min(Duration::from_millis(millis)));
        Expiry { at: Instant::now() + limit }
    }

    /// The time that is left; `None` if it is too late to begin any work.
    pub fn left(self) -> Option<Duration> {
        let left = self.at.saturating_duration_since(Instant::now());
        // Less than a millisecond would be sent as zero, so it counts as used up.
        (left >= Duration::from_millis(1)).then_some(left)
    }

    /// Runs the work until the expiry; `None` if it did not finish in time.
    pub async fn limit<F: Future>(self, work: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.at, work).await.ok()
    }
}

/// A fresh idempotency key: 128 random bits.
pub fn new_key() -> String {
    format!("{:032x}", rand_0_9::rng().random::<u128>())
}

/// The header value for the time that is left: whole milliseconds, rounded down, so that it never grows on its way.
pub fn deadline_value(left: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
}

/// Names the call that a request is made for, if it has a name: it travels with the call, so that whoever reads a log or the
/// wire can follow it.
pub fn name_call(headers: &mut HeaderMap, call: &str) {
    if let Ok(call) = HeaderValue::from_str(call)
        && !call.is_empty()
    {
        headers.insert(CALL_HEADER, call);
    }
}

/// Reads a whole body.
///
/// # Errors
/// The answer to give if the body is late, incomplete or too long.
pub async fn read_body(body: Body, expiry: Expiry) -> Result<Bytes, Answer> {
    match expiry.limit(Limited::new(body, BODY_LIMIT_BYTES).collect()).await {
        Some(Ok(whole)) => Ok(whole.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            Err(problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"))
        }
        Some(Err(_)) => Err(problem(StatusCode::BAD_REQUEST, "the body is incomplete")),
        None => Err(problem(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

/// Answers with JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).expect("the shop's messages serialize to JSON");
    json_bytes(status, Bytes::from(body))
}

/// Answers with bytes that already are JSON.
pub fn json_bytes(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Answers a health or readiness request with a status word.
pub fn status_page(status: StatusCode, word: &'static str) -> Answer {
    json(status, &serde_json::json!({ "status": word }))
}

/// Answers that a request failed, with the reason.
pub fn problem(status: StatusCode, why: &'static str) -> Answer {
    json(status, &serde_json::json!({ "error": why }))
}

/// Answers that a request was not executed, and that the next second may be better.
pub fn refusal(why: &'static str) -> Answer {
    let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, why);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
