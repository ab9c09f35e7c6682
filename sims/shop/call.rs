//! One call: its deadline, its attempts, and what is known of its effect when it fails.
//!
//! Owns every decision to send something again. Knows the gateway's address and nothing behind it.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request};
use serde::Serialize;
use tokio::time::Instant;

use super::client_config::ClientConfig;
use super::message::{CALL_HEADER, DEADLINE_HEADER, KEY_HEADER, deadline_value, new_key};
use super::net::Connect;
use super::observe::{AttemptOutcome, Observer, RetrySafety};
use super::pool::{ExchangeError, HttpClient, address, exchange, exchange_timing_the_head_only};
use super::retry::{RetryBudget, backoff, is_refusal, is_transient, retry_after, up_to};

/// What is known of the effect of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It did not happen and will not.
    None,
    /// It may have happened, or may still happen.
    Unknown,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Time was up, or would be before another attempt could begin.
    #[error("no answer within the deadline, after {attempts} attempts")]
    DeadlineExceeded {
        /// How many attempts there were.
        attempts: u32,
        /// What is known of the effect.
        effect: Effect,
    },
    /// The server's last word, which another attempt would not change.
    #[error("rejected with status {status}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// What is known of the effect.
        effect: Effect,
    },
    /// Every attempt failed, and no more are allowed.
    #[error("unavailable after {attempts} attempts; the last: {last}")]
    Unavailable {
        /// How many attempts there were.
        attempts: u32,
        /// How the last one ended.
        last: AttemptOutcome<'static>,
        /// What is known of the effect.
        effect: Effect,
    },
    /// The answer says success, but not in a form that is understood.
    #[error("the answer makes no sense")]
    Garbled {
        /// What is known of the effect.
        effect: Effect,
    },
}

impl CallError {
    /// What is known of the effect of the call.
    pub fn effect(&self) -> Effect {
        match *self {
            CallError::DeadlineExceeded { effect, .. }
            | CallError::Rejected { effect, .. }
            | CallError::Unavailable { effect, .. }
            | CallError::Garbled { effect } => effect,
        }
    }
}

/// What the calls of one client share.
pub struct Shared<C: Connect> {
    /// The connections.
    pub http: HttpClient<C>,
    /// The gateway.
    pub authority: Authority,
    /// Limits and mistakes.
    pub config: ClientConfig,
    /// The retries that are left.
    pub budget: RetryBudget,
    /// Who watches.
    pub observer: Observer,
}

/// What is asked, the same in every attempt.
pub struct Question {
    method: Method,
    path: String,
    body: Bytes,
    key: Option<String>,
    authorization: Option<String>,
    /// Whether an answer, or the lack of one, may leave an effect behind.
    changes: bool,
}

impl Question {
    /// Reads.
    pub fn get(path: String) -> Question {
        Question { method: Method::GET, path, body: Bytes::new(), key: None, authorization: None, changes: false }
    }

    /// Changes something, or computes.
    pub fn post(path: &str, body: &impl Serialize) -> Question {
        let body = serde_json::to_vec(body).expect("the shop's messages have no maps with odd keys").into();
        Question { method: Method::POST, path: path.to_owned(), body, key: None, authorization: None, changes: true }
    }

    /// Adds the idempotency key, if any.
    pub fn keyed(self, key: Option<String>) -> Question {
        Question { key, ..self }
    }

    /// Says that the question leaves nothing behind at the server, although it is a POST.
    pub fn harmless(self) -> Question {
        Question { changes: false, ..self }
    }

    /// Adds a token.
    pub fn bearing(self, token: &str) -> Question {
        Question { authorization: Some(format!("Bearer {token}")), ..self }
    }
}

/// How an attempt ended, when that was not with success.
struct Failure {
    outcome: AttemptOutcome<'static>,
    retry_after: Option<Duration>,
}

/// One call in progress.
pub struct Call<'a, C: Connect> {
    shared: &'a Shared<C>,
    question: Question,
    number: u64,
    attempts: u32,
    /// Whether any attempt so far may have been executed.
    ambiguous: bool,
    started: Instant,
}

impl<'a, C: Connect> Call<'a, C> {
    /// Makes the call; nothing is sent before [`run`](Call::run). Calls of one program need distinct numbers.
    pub fn new(shared: &'a Shared<C>, number: u64, question: Question) -> Call<'a, C> {
        Call { shared, question, number, attempts: 0, ambiguous: false, started: Instant::now() }
    }

    /// Attempts, waits and attempts again, until there is an answer or an error.
    pub async fn run(&mut self) -> Result<Bytes, CallError> {
        let config = &self.shared.config;
        self.shared.budget.deposit();
        let mut failures_since_word = 0;
        loop {
            let Some(left) = self.left() else { return Err(self.deadline_exceeded()) };
            let limit = match config.mistakes.attempt_ignores_deadline {
                true => config.attempt_timeout,
                false => config.attempt_timeout.min(left),
            };
            let failure = match self.attempt(limit).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            self.allow_retry(&failure)?;
            // The server's own word replaces the guess, and some jitter keeps those apart who were told the same.
            let wait = match failure.retry_after.filter(|_| config.respects_retry_after) {
                Some(wait) => {
                    failures_since_word = 0;
                    wait + up_to(config.backoff_base)
                }
                None => {
                    failures_since_word += 1;
                    backoff(config.backoff_base, config.backoff_cap, failures_since_word, config.jitter)
                }
            };
            if self.left().is_none_or(|left| wait >= left) && !config.mistakes.retry_after_beats_deadline {
                // Waiting for a deadline that will pass anyway helps nobody.
                return Err(self.deadline_exceeded());
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// What is left of the deadline, or nothing.
    fn left(&self) -> Option<Duration> {
        if self.shared.config.mistakes.no_deadline {
            return Some(Duration::from_secs(24 * 60 * 60));
        }
        let left = self.shared.config.deadline.saturating_sub(self.started.elapsed());
        (left >= Duration::from_millis(1)).then_some(left)
    }

    /// Why this call may be sent again.
    fn safety(&self) -> RetrySafety {
        if !self.question.changes {
            RetrySafety::Idempotent
        } else if self.question.key.is_some() {
            RetrySafety::Keyed
        } else if self.attempts > 0 && !self.ambiguous {
            RetrySafety::Unsent
        } else {
            RetrySafety::Unsafe
        }
    }

    /// Decides whether a failure may be followed by a retry, and pays for it.
    fn allow_retry(&self, failure: &Failure) -> Result<(), CallError> {
        let config = &self.shared.config;
        let mistakes = &config.mistakes;
        if let AttemptOutcome::Status(status) = failure.outcome
            && !is_transient(status)
            && !(mistakes.retries_rejections && matches!(status, 400 | 422))
        {
            return Err(CallError::Rejected { status, effect: self.effect() });
        }
        let safe = self.safety() != RetrySafety::Unsafe || mistakes.retry_unkeyed_posts;
        let attempt_left = self.attempts < config.max_attempts || mistakes.unlimited_retries;
        if safe && attempt_left && (mistakes.no_budget || self.shared.budget.withdraw()) {
            return Ok(());
        }
        Err(CallError::Unavailable { attempts: self.attempts, last: failure.outcome, effect: self.effect() })
    }

    fn deadline_exceeded(&self) -> CallError {
        CallError::DeadlineExceeded { attempts: self.attempts, effect: self.effect() }
    }

    fn effect(&self) -> Effect {
        if self.question.changes && self.ambiguous { Effect::Unknown } else { Effect::None }
    }

    /// What is known of the effect once the server claims success.
    pub fn effect_of_answered(&self) -> Effect {
        if self.question.changes { Effect::Unknown } else { Effect::None }
    }

    /// Makes one attempt and reports it.
    async fn attempt(&mut self, limit: Duration) -> Result<Bytes, Failure> {
        let shared = self.shared;
        let safety = self.safety();
        self.attempts += 1;
        shared.observer.attempt_started(self.number, self.attempts, limit, safety);
        let request = self.request(limit);
        let exchanged = match shared.config.mistakes.timer_stops_at_head {
            true => exchange_timing_the_head_only(&shared.http, request, limit).await,
            false => exchange(&shared.http, request, limit).await,
        };
        let mut waits = None;
        let (outcome, body) = match exchanged {
            Ok((parts, body)) => {
                waits = retry_after(&parts.headers);
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
        Err(Failure { outcome, retry_after: waits })
    }

    fn request(&self, limit: Duration) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.question.body.clone()));
        *request.method_mut() = self.question.method.clone();
        *request.uri_mut() = address(&self.shared.authority, &self.question.path);
        self.fill_headers(request.headers_mut(), limit);
        request
    }

    fn fill_headers(&self, headers: &mut HeaderMap, limit: Duration) {
        let mistakes = &self.shared.config.mistakes;
        headers.insert(CALL_HEADER, header(&format!("{:x}", self.number)));
        if !mistakes.no_deadline {
            headers.insert(DEADLINE_HEADER, deadline_value(limit));
        }
        if !self.question.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(key) = &self.question.key {
            let key = if mistakes.new_key_per_attempt { &new_key() } else { key };
            headers.insert(KEY_HEADER, header(key));
        }
        if let Some(authorization) = &self.question.authorization {
            headers.insert(AUTHORIZATION, header(authorization));
        }
    }
}

/// Whatever cannot be a header is sent as an empty one, which servers refuse.
fn header(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}
