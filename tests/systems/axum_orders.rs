//! Orders over HTTP: an axum service that asks another one for stock, and a client with retries. Only `scenario` knows Squall;
//! the rest takes a connector and a listener.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rand_0_9::Rng;
use squall::check::http::HttpPolicy;
use squall::net::Connector;
use squall::prelude::*;

use crate::judged::{Judged, assert_breaks, assert_judged, judge, with_faults};

type Http = Client<Connector, Full<Bytes>>;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const ID: HeaderName = HeaderName::from_static("x-request-id");
const LEFT: HeaderName = HeaderName::from_static("x-request-timeout-ms");
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");

/// What the client and the services do wrong.
#[derive(Clone, Copy, Default)]
struct Wrong {
    client_never_gives_up: bool,
    client_ignores_retry_after: bool,
    client_waits_equally_long: bool,
    client_repeats_wrong_orders: bool,
    client_changes_the_key: bool,
    orders_forgets_keys: bool,
    orders_asks_with_its_own_timeout: bool,
    orders_confuses_ids: bool,
    orders_is_healthy_only_with_stock: bool,
}

fn http(connector: Connector) -> Http {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(5))
        .build(connector)
}

/// Sends one request, all within a limit.
async fn ask(http: &Http, request: Request<Full<Bytes>>, limit: Duration) -> Option<(StatusCode, HeaderMap, Bytes)> {
    let whole = async {
        let (parts, body) = http.request(request).await.ok()?.into_parts();
        Some((parts.status, parts.headers, body.collect().await.ok()?.to_bytes()))
    };
    tokio::time::timeout(limit, whole).await.ok()?
}

fn header(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn millis_value(time: Duration) -> HeaderValue {
    HeaderValue::from(time.as_millis() as u64)
}

/// The orders service.
#[derive(Clone)]
struct Orders {
    http: Http,
    /// What each key was answered, and to which order.
    keys: Arc<Mutex<HashMap<String, (Bytes, String)>>>,
    number: Arc<AtomicU64>,
    requests: Arc<AtomicU32>,
    last_id: Arc<Mutex<String>>,
    wrong: Wrong,
}

async fn place(State(orders): State<Orders>, headers: HeaderMap, body: Bytes) -> Response {
    let begun = Instant::now();
    let id = header(&headers, &ID);
    let last_id = std::mem::replace(&mut *orders.last_id.lock().unwrap(), id.clone());
    let shown = if orders.wrong.orders_confuses_ids && !last_id.is_empty() { last_id } else { id.clone() };
    let mut response = orders.decide(&headers, &id, body, begun).await;
    response.headers_mut().insert(ID, shown.parse().unwrap());
    response
}

impl Orders {
    async fn decide(&self, headers: &HeaderMap, id: &str, body: Bytes, begun: Instant) -> Response {
        if self.requests.fetch_add(1, Ordering::Relaxed) % 6 == 5 {
            return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], "busy").into_response();
        }
        if body.is_empty() {
            return (StatusCode::UNPROCESSABLE_ENTITY, "an order has something to order").into_response();
        }
        let key = header(headers, &KEY);
        if let Some((before, answer)) = self.keys.lock().unwrap().get(&key) {
            return match *before == body {
                true => (StatusCode::CREATED, answer.clone()).into_response(),
                false => (StatusCode::UNPROCESSABLE_ENTITY, "the key stands for another order").into_response(),
            };
        }
        let given: u64 = header(headers, &LEFT).parse().unwrap_or(2_000);
        let left = match self.wrong.orders_asks_with_its_own_timeout {
            true => Duration::from_secs(2),
            false => Duration::from_millis(given).saturating_sub(begun.elapsed()),
        };
        if left < Duration::from_millis(1) {
            return StatusCode::GATEWAY_TIMEOUT.into_response();
        }
        let request = Request::post("http://stock/reserve").header(ID, id).header(LEFT, millis_value(left));
        match ask(&self.http, request.body(Full::new(body.clone())).unwrap(), left).await {
            Some((StatusCode::OK, ..)) => {
                let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
                let answer = format!("order {number}");
                if !self.wrong.orders_forgets_keys {
                    // Somebody else may have been faster with the same key.
                    let mut keys = self.keys.lock().unwrap();
                    let (_, first) = keys.entry(key).or_insert_with(|| (body, answer.clone()));
                    return (StatusCode::CREATED, first.clone()).into_response();
                }
                (StatusCode::CREATED, answer).into_response()
            }
            Some((status, ..)) => status.into_response(),
            None => StatusCode::GATEWAY_TIMEOUT.into_response(),
        }
    }
}

async fn health(State(orders): State<Orders>) -> StatusCode {
    if orders.wrong.orders_is_healthy_only_with_stock {
        let request = Request::get("http://stock/stock").body(Full::new(Bytes::new())).unwrap();
        return match ask(&orders.http, request, Duration::from_millis(200)).await {
            Some((StatusCode::OK, ..)) => StatusCode::OK,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
    }
    StatusCode::OK
}

fn orders(connector: Connector, wrong: Wrong) -> Router {
    let orders = Orders {
        http: http(connector),
        keys: Arc::default(),
        number: Arc::default(),
        requests: Arc::default(),
        last_id: Arc::default(),
        wrong,
    };
    Router::new().route("/orders", post(place)).route("/health", get(health)).with_state(orders)
}

/// The stock service, which fails now and then.
fn stock() -> Router {
    let requests = Arc::new(AtomicU32::new(0));
    let reserve = move || {
        let fails = requests.fetch_add(1, Ordering::Relaxed) % 4 == 3;
        async move { if fails { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK } }
    };
    Router::new().route("/reserve", post(reserve)).route("/stock", get(|| async { "plenty" }))
}

/// Places orders one after the other, each with up to three attempts.
async fn buy(connector: Connector, name: String, wrong: Wrong) {
    let http = http(connector);
    for number in 0..40_u32 {
        // Every eighth order is empty, and is refused. Every fifth is the one before it: somebody has pressed the button twice.
        let order = if number % 5 == 4 { number - 1 } else { number };
        let body = if order % 8 == 7 { String::new() } else { format!("{order} teapots") };
        let call = format!("{name}-{number}");
        let most = if wrong.client_never_gives_up { 8 } else { 3 };
        for attempt in 0..most {
            let key = format!("{name}-{order}");
            let key = if wrong.client_changes_the_key { format!("{key}-{attempt}") } else { key };
            let limit = Duration::from_millis(800);
            let request = Request::post("http://orders/orders")
                .header(KEY, key)
                .header(ID, call.clone())
                .header(LEFT, millis_value(limit))
                .body(Full::new(Bytes::from(body.clone())))
                .unwrap();
            let answer = ask(&http, request, limit).await;
            let mut wait = None;
            match &answer {
                Some((StatusCode::CREATED, ..)) => break,
                Some((status, ..)) if status.is_client_error() && !wrong.client_repeats_wrong_orders => break,
                Some((_, headers, _)) if !wrong.client_ignores_retry_after => {
                    wait = header(headers, &RETRY_AFTER).parse().ok().map(Duration::from_secs);
                }
                _ => {}
            }
            let most_ms = 100 << attempt.min(4);
            let backoff = match wrong.client_waits_equally_long {
                true => most_ms,
                false => rand_0_9::rng().random_range(0..=most_ms),
            };
            tokio::time::sleep(wait.unwrap_or(Duration::from_millis(backoff))).await;
        }
        let pause = rand_0_9::rng().random_range(100..=600);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Asks whether the orders service lives, once in a second.
async fn probe(connector: Connector) {
    let http = http(connector);
    loop {
        let request = Request::get("http://orders/health").body(Full::new(Bytes::new())).unwrap();
        ask(&http, request, Duration::from_millis(500)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn scenario(wrong: Wrong) -> Scenario {
    let scenario = Scenario::new("orders")
        .host("orders", move |cx| async move { axum::serve(cx.listener(80), orders(cx.connector(), wrong)).await })
        .host("stock", |cx| async move { axum::serve(cx.listener(80), stock()).await })
        .host("monitor", |cx| probe(cx.connector()))
        .hosts("buyer", 3, move |cx| buy(cx.connector(), cx.name().to_owned(), wrong));
    with_faults(scenario, "buyer", "orders", "stock")
}

fn policy() -> HttpPolicy {
    HttpPolicy { idle_limit: secs(10), quiet_after: secs(15), ..HttpPolicy::default() }
}

fn found(wrong: Wrong) -> Judged {
    judge(scenario(wrong), &policy())
}

#[test]
fn fifteen_promises_of_an_axum_service_are_judged_without_instrumentation() {
    assert_judged(&found(Wrong::default()));
}

#[test]
fn mistakes_of_an_axum_service_and_its_client_are_caught() {
    let right = Wrong::default();
    // More attempts than allowed are more than allowed at each hop, and more than the budget.
    assert_breaks("R1", &["R3", "R2"], &found(Wrong { client_never_gives_up: true, ..right }));
    assert_breaks("R5", &[], &found(Wrong { client_ignores_retry_after: true, ..right }));
    assert_breaks("R4", &[], &found(Wrong { client_waits_equally_long: true, ..right }));
    assert_breaks("R7", &[], &found(Wrong { client_repeats_wrong_orders: true, ..right }));
    assert_breaks("I5", &[], &found(Wrong { client_changes_the_key: true, ..right }));
    assert_breaks("I3", &[], &found(Wrong { orders_forgets_keys: true, ..right }));
    assert_breaks("T3", &[], &found(Wrong { orders_asks_with_its_own_timeout: true, ..right }));
    assert_breaks("P5", &[], &found(Wrong { orders_confuses_ids: true, ..right }));
    assert_breaks("H5", &[], &found(Wrong { orders_is_healthy_only_with_stock: true, ..right }));
}
