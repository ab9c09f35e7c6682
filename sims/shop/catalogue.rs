//! An api server's prices: from pricing, behind a circuit breaker, or remembered from earlier answers.
//!
//! Owns the fallback and its limits. A remembered price is a cache entry, not state: it may be lost at any time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::uri::Authority;
use hyper::{Request, StatusCode};
use tokio::time::Instant;

use super::api_config::Config;
use super::breaker::Breaker;
use super::coalesce::Coalescing;
use super::message::{
    Answer, DEADLINE_HEADER, Expiry, Price, deadline_value, is_sku, json, name_call, problem, refusal,
};
use super::net::Connect;
use super::observe::Observer;
use super::pool::{ExchangeError, HttpClient, address, authority, exchange};

/// The most prices that a server remembers.
const REMEMBERED_LIMIT: usize = 1024;

/// Prices, fresh or remembered.
pub struct Catalogue<C: Connect> {
    upstream: Upstream<C>,
    /// The questions to pricing in flight, by article; prices are the same for whoever asks. `None`: each asks for itself.
    flights: Option<Coalescing<String, Quote>>,
    stale_limit: Duration,
    remembered: Mutex<BTreeMap<String, (u64, Instant)>>,
}

/// The way to pricing.
#[derive(Clone)]
struct Upstream<C: Connect> {
    client: HttpClient<C>,
    pricing: Authority,
    breaker: Breaker,
    timeout: Duration,
}

/// The outcome of a request to pricing.
#[derive(Clone, Copy)]
enum Quote {
    Cents(u64),
    NoSuchArticle,
    Unavailable,
}

impl<C: Connect> Catalogue<C> {
    /// A catalogue that remembers no prices yet.
    pub fn new(client: HttpClient<C>, config: &Config, observer: Observer) -> Catalogue<C> {
        let upstream = Upstream {
            client,
            pricing: authority(&config.pricing.0, config.pricing.1),
            breaker: Breaker::new(config.breaker.clone(), observer),
            timeout: config.pricing_timeout,
        };
        Catalogue {
            upstream,
            flights: config.coalesces_prices.then(Coalescing::default),
            stale_limit: config.stale_limit,
            remembered: Mutex::default(),
        }
    }

    /// Answers with the price of an article.
    pub async fn answer(&self, sku: &str, call: &str, expiry: Expiry) -> Answer {
        match self.price(sku, call, expiry).await {
            Ok(price) => json(StatusCode::OK, &price),
            Err(answer) => answer,
        }
    }

    /// Finds the price of an article, for this call.
    ///
    /// # Errors
    /// The answer to give if there is none.
    pub async fn price(&self, sku: &str, call: &str, expiry: Expiry) -> Result<Price, Answer> {
        if !is_sku(sku) {
            return Err(problem(StatusCode::BAD_REQUEST, "not the name of an article"));
        }
        match self.ask(sku, call, expiry).await {
            Quote::Cents(cents) => {
                self.remember(sku, cents);
                Ok(Price { sku: sku.to_owned(), cents, degraded: false, age_ms: 0 })
            }
            Quote::NoSuchArticle => Err(problem(StatusCode::NOT_FOUND, "no such article")),
            Quote::Unavailable => self.fall_back(sku).ok_or_else(|| refusal("the price is not known at the moment")),
        }
    }

    async fn ask(&self, sku: &str, call: &str, expiry: Expiry) -> Quote {
        let Some(left) = expiry.left() else { return Quote::Unavailable };
        let timeout = self.upstream.timeout;
        // A question that may not take its full time is of no use to others.
        let Some(flights) = self.flights.as_ref().filter(|_| left >= timeout) else {
            return self.upstream.ask(sku, call, timeout.min(left)).await;
        };
        let flight = flights.join(sku.to_owned(), || {
            let (upstream, sku, call) = (self.upstream.clone(), sku.to_owned(), call.to_owned());
            Box::pin(async move { upstream.ask(&sku, &call, timeout).await })
        });
        expiry.limit(flight).await.unwrap_or(Quote::Unavailable)
    }

    fn remember(&self, sku: &str, cents: u64) {
        let mut remembered = self.remembered.lock().expect("no holder of the prices panics");
        if remembered.len() >= REMEMBERED_LIMIT && !remembered.contains_key(sku) {
            remembered.pop_first();
        }
        remembered.insert(sku.to_owned(), (cents, Instant::now()));
    }

    /// A remembered price that is not too old.
    fn fall_back(&self, sku: &str) -> Option<Price> {
        let remembered = self.remembered.lock().expect("no holder of the prices panics").get(sku).copied();
        let (cents, since) = remembered?;
        let age = since.elapsed();
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        (age <= self.stale_limit).then(|| Price { sku: sku.to_owned(), cents, degraded: true, age_ms })
    }
}

impl<C: Connect> Upstream<C> {
    /// Asks pricing within this limit, if the breaker allows it.
    async fn ask(&self, sku: &str, call: &str, limit: Duration) -> Quote {
        let Some(permit) = self.breaker.admit() else { return Quote::Unavailable };
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = address(&self.pricing, &format!("/price/{sku}"));
        request.headers_mut().insert(DEADLINE_HEADER, deadline_value(limit));
        name_call(request.headers_mut(), call);
        let quote = match exchange(&self.client, request, limit).await {
            Ok((parts, body)) if parts.status == StatusCode::OK => {
                serde_json::from_slice(&body).map_or(Quote::Unavailable, |price: Price| Quote::Cents(price.cents))
            }
            Ok((parts, _)) if parts.status.is_client_error() => Quote::NoSuchArticle,
            // Pricing had less than its full timeout, so it is not to blame; the dropped permit counts as no result.
            Err(ExchangeError::TimedOut) if limit < self.timeout => return Quote::Unavailable,
            Ok(_) | Err(_) => Quote::Unavailable,
        };
        match quote {
            Quote::Unavailable => permit.failed(),
            Quote::Cents(_) | Quote::NoSuchArticle => permit.succeeded(),
        }
        quote
    }
}
