//! What travels between the shop's programs: the JSON bodies, the headers, and how bodies are read and answered.
//!
//! Owns the shapes on the wire. Knows no program and no network.

use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use rand_0_9::Rng;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How many milliseconds the caller will still wait for this request.
pub const DEADLINE_HEADER: &str = "x-deadline-ms";
/// One value for all attempts of a call; the store does such a call once.
pub const KEY_HEADER: &str = "idempotency-key";
/// Names the user's call in every program that it passes, whatever becomes of its key.
pub const CALL_HEADER: &str = "x-call-id";

/// The longest request body that a server reads.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// An answer whose body is complete before it is sent.
pub type Answer = Response<Full<Bytes>>;

/// What a user wants to buy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Names the article.
    pub sku: String,
    /// How many pieces, at least one.
    pub quantity: u32,
}

impl Order {
    /// Says what is wrong with an order that nobody can fulfil.
    pub fn validate(&self) -> Result<(), &'static str> {
        if !is_sku(&self.sku) {
            return Err("sku must be 1 to 64 letters, digits, dots or dashes");
        }
        if !(1..=1000).contains(&self.quantity) {
            return Err("quantity must be 1 to 1000");
        }
        Ok(())
    }
}

/// Whether a text can name an article: it must fit into a path as it is.
pub fn is_sku(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// An order as an api server hands it to the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedOrder {
    /// The idempotency key.
    pub key: String,
    /// The call that asked for it, or nothing when the client named none.
    pub call: String,
    /// Names the article.
    pub sku: String,
    /// How many pieces.
    pub quantity: u32,
}

/// An order that was accepted; also the record that the store keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReceipt {
    /// Numbered from 1, in the order of the commits.
    pub id: u64,
    /// The idempotency key.
    pub key: String,
    /// The call that first asked for it. Two orders with the same call are one order too many.
    pub call: String,
    /// Names the article.
    pub sku: String,
    /// How many pieces.
    pub quantity: u32,
}

/// What an article costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Names the article.
    pub sku: String,
    /// The price of one piece.
    pub cents: u64,
    /// The pricing service could not be asked, and this is what it said a while ago.
    #[serde(default)]
    pub degraded: bool,
    /// How long ago that was; zero when the service was asked just now.
    #[serde(default)]
    pub age_ms: u64,
}

/// Who somebody is, or claims to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's name.
    pub user: String,
}

/// Proof that somebody logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// To be sent as a bearer token.
    pub token: String,
}

/// When the answer to a request is no longer of use.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    at: Instant,
}

impl Expiry {
    /// Reads how long the caller will wait, from now on, and never grants more than the server's own limit.
    pub fn from_headers(headers: &HeaderMap, own_limit: Duration) -> Expiry {
        let wanted = headers.get(DEADLINE_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        let limit = wanted.map_or(own_limit, |millis| own_limit.min(Duration::from_millis(millis)));
        Expiry { at: Instant::now() + limit }
    }

    /// What is left, or nothing when it is too late to begin any work.
    pub fn left(self) -> Option<Duration> {
        let left = self.at.saturating_duration_since(Instant::now());
        // A budget below a millisecond travels as zero, so it is used up already.
        (left >= Duration::from_millis(1)).then_some(left)
    }

    /// Runs something for as long as there is time.
    pub async fn limit<F: Future>(self, work: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.at, work).await.ok()
    }
}

/// A fresh idempotency key: 128 random bits.
pub fn new_key() -> String {
    format!("{:032x}", rand_0_9::rng().random::<u128>())
}

/// Writes a budget the way it travels: whole milliseconds, rounded down, so that it never grows on its way.
pub fn deadline_value(left: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
}

/// Reads a whole body; a late, truncated or oversized one is an answer to give instead.
pub async fn read_body(body: Incoming, expiry: Expiry) -> Result<Bytes, Answer> {
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
    let body = serde_json::to_vec(value).expect("the shop's messages have no maps with odd keys");
    json_bytes(status, Bytes::from(body))
}

/// Answers with bytes that are JSON already.
pub fn json_bytes(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Answers with a status word; used by the health pages.
pub fn status_page(status: StatusCode, word: &'static str) -> Answer {
    json(status, &serde_json::json!({ "status": word }))
}

/// Answers that a request failed, and why.
pub fn problem(status: StatusCode, why: &'static str) -> Answer {
    json(status, &serde_json::json!({ "error": why }))
}
