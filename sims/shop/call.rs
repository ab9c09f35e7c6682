//! One call: its deadline, its attempts, and what is known about its effect when it fails.
//!
//! Owns every decision to retry. It sends all attempts to the gateway.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Version};
use serde::Serialize;
use tokio::time::Instant;

use super::client_config::{ClientConfig, Keys, Timed};
use super::message::{CALL_HEADER, DEADLINE_HEADER, KEY_HEADER, deadline_value, new_key};
use super::net::Connect;
use super::observe::{AttemptOutcome, Observer, RetrySafety};
use super::pool::{ExchangeError, HttpClient, Protocol, address, exchange, exchange_timing_the_head_only};
use super::retry::{RetryBudget, backoff, is_refusal, retry_after, up_to};

/// What is known about the effect of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It did not happen and will not happen.
    None,
    /// It may have happened, or may still happen.
    Unknown,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The deadline passed, or would pass before another attempt could begin.
    #[error("no answer within the deadline, after {attempts} attempts")]
    DeadlineExceeded {
        /// How many attempts there were.
        attempts: u32,
        /// What is known of the effect.
        effect: Effect,
    },
    /// The server's final answer, which another attempt would not change.
    #[error("rejected with status {status}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// What is known of the effect.
        effect: Effect,
    },
    /// Every attempt so far failed, and no more are allowed.
    #[error("unavailable after {attempts} attempts; the last: {last}")]
    Unavailable {
        /// How many attempts there were.
        attempts: u32,
        /// How the last one ended.
        last: AttemptOutcome<'static>,
        /// What is known of the effect.
        effect: Effect,
    },
    /// The answer reports success, but its body cannot be parsed.
    #[error("the answer cannot be parsed")]
    Garbled {
        /// What is known of the effect.
        effect: Effect,
    },
}

impl CallError {
    /// What is known about the effect of the call.
    pub fn effect(&self) -> Effect {
        match *self {
            CallError::DeadlineExceeded { effect, .. }
            | CallError::Rejected { effect, .. }
            | CallError::Unavailable { effect, .. }
            | CallError::Garbled { effect } => effect,
        }
    }
}

/// The state that all calls of one client share.
pub struct Shared<C: Connect> {
    /// The connections.
    pub http: HttpClient<C>,
    /// The gateway.
    pub authority: Authority,
    /// Limits and policies.
    pub config: ClientConfig,
    /// The retry budget.
    pub budget: RetryBudget,
    /// Observes calls and attempts.
    pub observer: Observer,
}

/// A request to the shop, the same in every attempt.
pub struct ShopRequest {
    method: Method,
    path: String,
    body: Bytes,
    key: Option<String>,
    authorization: Option<String>,
    /// Whether executing it may leave an effect behind.
    has_effect: bool,
}

impl ShopRequest {
    /// A request that reads.
    pub fn get(path: String) -> ShopRequest {
        ShopRequest { method: Method::GET, path, body: Bytes::new(), key: None, authorization: None, has_effect: false }
    }

    /// A request that has an effect, unless [`without_effect`](ShopRequest::without_effect) says otherwise.
    pub fn post(path: &str, body: &impl Serialize) -> ShopRequest {
        let body = serde_json::to_vec(body).expect("the shop's messages serialize to JSON").into();
        ShopRequest {
            method: Method::POST,
            path: path.to_owned(),
            body,
            key: None,
            authorization: None,
            has_effect: true,
        }
    }

    /// A request that replaces what is at the path by a text.
    pub fn put(path: String, text: String) -> ShopRequest {
        ShopRequest { method: Method::PUT, body: text.into(), has_effect: true, ..ShopRequest::get(path) }
    }

    /// Sets the idempotency key, if any.
    pub fn with_key(self, key: Option<String>) -> ShopRequest {
        ShopRequest { key, ..self }
    }

    fn content_type(&self) -> &'static str {
        if self.method == Method::PUT { "text/plain; charset=utf-8" } else { "application/json" }
    }

    /// Marks a POST that leaves no effect behind at the server.
    pub fn without_effect(self) -> ShopRequest {
        ShopRequest { has_effect: false, ..self }
    }

    /// Adds a bearer token.
    pub fn with_token(self, token: &str) -> ShopRequest {
        ShopRequest { authorization: Some(format!("Bearer {token}")), ..self }
    }
}

/// A failed attempt: its outcome, and the server's `Retry-After` if it sent one.
struct Failure {
    outcome: AttemptOutcome<'static>,
    retry_after: Option<Duration>,
}

/// One call in progress.
pub struct Call<'a, C: Connect> {
    shared: &'a Shared<C>,
    request: ShopRequest,
    number: u64,
    attempts: u32,
    /// Whether any attempt so far may have been executed.
    ambiguous: bool,
    started: Instant,
}

impl<'a, C: Connect> Call<'a, C> {
    /// Prepares the call; [`run`](Call::run) sends it. Calls of one program need distinct numbers.
    pub fn new(shared: &'a Shared<C>, number: u64, request: ShopRequest) -> Call<'a, C> {
        Call { shared, request, number, attempts: 0, ambiguous: false, started: Instant::now() }
    }

    /// Makes attempts, with waits in between, until there is an answer or an error.
    pub async fn run(&mut self) -> Result<Bytes, CallError> {
        let config = &self.shared.config;
        self.shared.budget.deposit();
        let mut failures_in_a_row = 0;
        loop {
            let Some(left) = self.left() else { return Err(self.deadline_exceeded()) };
            let limit = (config.attempt_limit)(config.attempt_timeout, left);
            let failure = match self.attempt(limit).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            self.allow_retry(&failure)?;
            // `Retry-After` replaces the backoff; some jitter spreads the clients that received the same value.
            let wait = match failure.retry_after.filter(|_| config.respects_retry_after) {
                Some(wait) => {
                    failures_in_a_row = 0;
                    wait + up_to(config.backoff_base)
                }
                None => {
                    failures_in_a_row += 1;
                    backoff(config.backoff_base, config.backoff_cap, failures_in_a_row, config.jitter)
                }
            };
            if !(config.may_wait)(wait, self.left().unwrap_or_default()) {
                // The deadline would pass during the wait, so the call fails now.
                return Err(self.deadline_exceeded());
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// The time left until the deadline; `None` if it has passed.
    fn left(&self) -> Option<Duration> {
        let left = self.shared.config.deadline.saturating_sub(self.started.elapsed());
        (left >= Duration::from_millis(1)).then_some(left)
    }

    /// Why the next attempt may be a retry.
    fn safety(&self) -> RetrySafety {
        // To replace a thing twice is to replace it once.
        if !self.request.has_effect || self.request.method == Method::PUT {
            RetrySafety::Idempotent
        } else if self.request.key.is_some() {
            RetrySafety::Keyed
        } else if self.attempts > 0 && !self.ambiguous {
            RetrySafety::Unsent
        } else {
            RetrySafety::Unsafe
        }
    }

    /// Decides whether a retry may follow this failure, and withdraws it from the budget.
    ///
    /// # Errors
    /// The error that ends the call, if no retry may follow.
    fn allow_retry(&self, failure: &Failure) -> Result<(), CallError> {
        let config = &self.shared.config;
        if let AttemptOutcome::Status(status) = failure.outcome
            && !(config.retried_statuses)(status)
        {
            return Err(CallError::Rejected { status, effect: self.effect() });
        }
        if (config.may_be_repeated)(self.safety())
            && self.attempts < config.max_attempts
            && self.shared.budget.withdraw()
        {
            return Ok(());
        }
        Err(CallError::Unavailable { attempts: self.attempts, last: failure.outcome, effect: self.effect() })
    }

    fn deadline_exceeded(&self) -> CallError {
        CallError::DeadlineExceeded { attempts: self.attempts, effect: self.effect() }
    }

    fn effect(&self) -> Effect {
        if self.request.has_effect && self.ambiguous { Effect::Unknown } else { Effect::None }
    }

    /// What is known about the effect once the server has reported success.
    pub fn effect_of_answered(&self) -> Effect {
        if self.request.has_effect { Effect::Unknown } else { Effect::None }
    }

    /// Makes one attempt and reports it to the observer.
    async fn attempt(&mut self, limit: Duration) -> Result<Bytes, Failure> {
        let shared = self.shared;
        let safety = self.safety();
        self.attempts += 1;
        shared.observer.attempt_started(self.number, self.attempts, limit, safety);
        let request = self.http_request(limit);
        let exchanged = match shared.config.timed {
            Timed::Whole => exchange(&shared.http, request, limit).await,
            Timed::Head => exchange_timing_the_head_only(&shared.http, request, limit).await,
        };
        let mut server_wait = None;
        let (outcome, body) = match exchanged {
            Ok((parts, body)) => {
                server_wait = retry_after(&parts.headers);
                (AttemptOutcome::Status(parts.status.as_u16()), body)
            }
            Err(ExchangeError::Refused) => (AttemptOutcome::Refused, Bytes::new()),
            Err(ExchangeError::Broken(how)) => (AttemptOutcome::Failed(how), Bytes::new()),
            Err(ExchangeError::TimedOut) => (AttemptOutcome::TimedOut, Bytes::new()),
        };
        shared.observer.attempt_ended(self.number, self.attempts, outcome);
        match outcome {
            AttemptOutcome::Status(200..=299) => return Ok(body),
            AttemptOutcome::Status(status) => self.ambiguous |= !is_refusal(status),
            AttemptOutcome::TimedOut | AttemptOutcome::Failed(_) => self.ambiguous = true,
            AttemptOutcome::Refused => {}
        }
        Err(Failure { outcome, retry_after: server_wait })
    }

    fn http_request(&self, limit: Duration) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.request.body.clone()));
        *request.method_mut() = self.request.method.clone();
        if self.shared.config.pool.protocol == Protocol::Http10 {
            *request.version_mut() = Version::HTTP_10;
        }
        *request.uri_mut() = address(&self.shared.authority, &self.request.path);
        self.fill_headers(request.headers_mut(), limit);
        request
    }

    fn fill_headers(&self, headers: &mut HeaderMap, limit: Duration) {
        headers.insert(CALL_HEADER, self.number.into());
        headers.insert(DEADLINE_HEADER, deadline_value(limit));
        if !self.request.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.request.content_type()));
        }
        if let Some(key) = &self.request.key {
            let key = if self.shared.config.keys == Keys::OfTheAttempt { &new_key() } else { key };
            headers.insert(KEY_HEADER, header(key));
        }
        if let Some(authorization) = &self.request.authorization {
            headers.insert(AUTHORIZATION, header(authorization));
        }
    }
}

/// The value as a header; a value that cannot be one becomes empty, which servers refuse.
fn header(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}
