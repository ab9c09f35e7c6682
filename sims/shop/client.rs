//! The client's library: what a program that buys in the shop links.
//!
//! Owns the promises of a call: its deadline, its attempts, their budget, and what is known of its effect. Knows the
//! gateway's address and nothing behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request};
use rand_0_9::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::message::{
    CALL_HEADER, DEADLINE_HEADER, KEY_HEADER, Order, OrderReceipt, Price, Token, User, deadline_value, is_sku,
};
use super::net::Connect;
use super::observe::{AttemptOutcome, Observer, RetrySafety};
use super::pool::{
    ExchangeError, HttpClient, PoolConfig, address, authority, exchange, exchange_timing_the_head_only, http_client,
};
use super::retry::{Jitter, RetryBudget, backoff, is_refusal, is_transient, retry_after, up_to};

/// How calls are made.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The gateway's name or IP address.
    pub gateway: String,
    /// The gateway's port.
    pub port: u16,
    /// Distinguishes this client's calls from those of others.
    pub client_number: u32,
    /// From the user's question to the user's answer, over all attempts and the waiting between them.
    pub deadline: Duration,
    /// One attempt: connect, head and the whole body.
    pub attempt_timeout: Duration,
    /// The first attempt included.
    pub max_attempts: u32,
    /// The bound of the first wait; it doubles with each failure.
    pub backoff_base: Duration,
    /// The bound of every wait.
    pub backoff_cap: Duration,
    /// How waits are spread below their bound.
    pub jitter: Jitter,
    /// How many retries each call pays for.
    pub retry_ratio: f64,
    /// How many retries a second are allowed whatever the number of calls.
    pub retry_minimum_per_second: f64,
    /// How many retries may be saved up.
    pub retry_burst: f64,
    /// Whether a server that asks to be left alone for a while is.
    pub respects_retry_after: bool,
    /// How connections are kept.
    pub pool: PoolConfig,
    /// What is done wrong on purpose.
    pub mistakes: Mistakes,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            gateway: "gateway".to_owned(),
            port: 80,
            client_number: 0,
            deadline: Duration::from_secs(4),
            attempt_timeout: Duration::from_secs(1),
            max_attempts: 4,
            backoff_base: Duration::from_millis(50),
            backoff_cap: Duration::from_secs(1),
            jitter: Jitter::Full,
            retry_ratio: 0.2,
            retry_minimum_per_second: 1.0,
            retry_burst: 10.0,
            respects_retry_after: true,
            pool: PoolConfig::default(),
            mistakes: Mistakes::default(),
        }
    }
}

/// What a client can do wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// Orders carry no key and are sent again all the same. The api servers must be lenient for it to work at all.
    pub retry_unkeyed_posts: bool,
    /// Each attempt has a key of its own.
    pub new_key_per_attempt: bool,
    /// A call may take for ever.
    pub no_deadline: bool,
    /// `max_attempts` is ignored.
    pub unlimited_retries: bool,
    /// Retries cost nothing.
    pub no_budget: bool,
    /// An attempt gets its whole timeout, however little is left of the deadline.
    pub attempt_ignores_deadline: bool,
    /// The attempt's timer stops at the answer's head.
    pub timer_stops_at_head: bool,
    /// What the server refuses for good (400, 422) is sent again.
    pub retries_rejections: bool,
    /// A server that asks to be left alone is waited for, even beyond the deadline.
    pub retry_after_beats_deadline: bool,
}

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

/// A client of the shop. Clones share connections, retry budget and call numbers.
pub struct ShopClient<C: Connect> {
    shared: Arc<Shared<C>>,
}

impl<C: Connect> Clone for ShopClient<C> {
    fn clone(&self) -> ShopClient<C> {
        ShopClient { shared: self.shared.clone() }
    }
}

struct Shared<C: Connect> {
    http: HttpClient<C>,
    authority: Authority,
    config: ClientConfig,
    budget: RetryBudget,
    next_call: AtomicU64,
    observer: Observer,
}

impl<C: Connect> ShopClient<C> {
    /// Makes a client; it connects when it is used. Panics when the gateway's name is none.
    pub fn new(connector: C, config: ClientConfig, observer: Observer) -> ShopClient<C> {
        let http = http_client(connector, &config.pool);
        let authority = authority(&config.gateway, config.port);
        let budget = RetryBudget::new(config.retry_ratio, config.retry_minimum_per_second, config.retry_burst);
        let next_call = AtomicU64::new(u64::from(config.client_number) << 32);
        ShopClient { shared: Arc::new(Shared { http, authority, config, budget, next_call, observer }) }
    }

    /// Places an order once, however many attempts it takes.
    pub async fn place_order(&self, order: &Order) -> Result<OrderReceipt, CallError> {
        let mistakes = &self.shared.config.mistakes;
        let key = (!mistakes.retry_unkeyed_posts).then(new_key);
        self.call(Question::post("/orders", order).keyed(key)).await
    }

    /// Places an order under a key that the caller chose; the same key again gives the same order.
    pub async fn place_order_with_key(&self, order: &Order, key: &str) -> Result<OrderReceipt, CallError> {
        self.call(Question::post("/orders", order).keyed(Some(key.to_owned()))).await
    }

    /// Reads one order.
    pub async fn get_order(&self, id: u64) -> Result<OrderReceipt, CallError> {
        self.call(Question::get(format!("/orders/{id}"))).await
    }

    /// Reads all orders, by their numbers.
    pub async fn list_orders(&self) -> Result<Vec<OrderReceipt>, CallError> {
        self.call(Question::get("/orders".to_owned())).await
    }

    /// Gets a token for a user.
    pub async fn login(&self, user: &str) -> Result<String, CallError> {
        let question = Question::post("/login", &User { user: user.to_owned() });
        // A login leaves nothing behind at the server.
        let answer: Token = self.call(Question { changes: false, ..question }).await?;
        Ok(answer.token)
    }

    /// Asks whom a token belongs to.
    pub async fn whoami(&self, token: &str) -> Result<String, CallError> {
        let answer: User = self.call(Question::get("/whoami".to_owned()).bearing(token)).await?;
        Ok(answer.user)
    }

    /// Asks what an article costs.
    pub async fn price(&self, sku: &str) -> Result<Price, CallError> {
        if !is_sku(sku) {
            // It would not even make a path; a server would say the same.
            return Err(CallError::Rejected { status: 400, effect: Effect::None });
        }
        self.call(Question::get(format!("/catalogue/{sku}"))).await
    }

    /// Makes a call and reports it.
    async fn call<T: DeserializeOwned>(&self, question: Question) -> Result<T, CallError> {
        let shared = &*self.shared;
        let number = shared.next_call.fetch_add(1, Ordering::Relaxed);
        shared.observer.call_started(number, shared.config.deadline);
        let mut call = Call { shared, question, number, attempts: 0, ambiguous: false, started: Instant::now() };
        let answer = call.run().await.and_then(|body| {
            serde_json::from_slice(&body).map_err(|_| CallError::Garbled { effect: call.effect_of_answered() })
        });
        shared.observer.call_ended(number, answer.is_ok());
        if let Err(error) = &answer {
            tracing::info!(call = number, %error, "call failed");
        }
        answer
    }
}

/// A fresh idempotency key: 128 random bits.
pub fn new_key() -> String {
    format!("{:032x}", rand_0_9::rng().random::<u128>())
}

/// What is asked, the same in every attempt.
struct Question {
    method: Method,
    path: String,
    body: Bytes,
    key: Option<String>,
    authorization: Option<String>,
    /// Whether an answer, or the lack of one, leaves an effect behind.
    changes: bool,
}

impl Question {
    fn get(path: String) -> Question {
        Question { method: Method::GET, path, body: Bytes::new(), key: None, authorization: None, changes: false }
    }

    fn post(path: &str, body: &impl Serialize) -> Question {
        let body = serde_json::to_vec(body).expect("the shop's messages have no maps with odd keys").into();
        Question { method: Method::POST, path: path.to_owned(), body, key: None, authorization: None, changes: true }
    }

    fn keyed(self, key: Option<String>) -> Question {
        Question { key, ..self }
    }

    fn bearing(self, token: &str) -> Question {
        Question { authorization: Some(format!("Bearer {token}")), ..self }
    }
}

/// How an attempt ended, when that was not with success.
struct Failure {
    outcome: AttemptOutcome<'static>,
    retry_after: Option<Duration>,
}

/// One call in progress.
struct Call<'a, C: Connect> {
    shared: &'a Shared<C>,
    question: Question,
    number: u64,
    attempts: u32,
    /// Whether any attempt so far may have been executed.
    ambiguous: bool,
    started: Instant,
}

impl<C: Connect> Call<'_, C> {
    async fn run(&mut self) -> Result<Bytes, CallError> {
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

    fn effect_of_answered(&self) -> Effect {
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
