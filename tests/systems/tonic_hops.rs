//! A tonic service that asks another one, and a client with retries. The service is the health service of gRPC, whose code
//! is generated already; only `scenario` knows Squall.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand_0_9::Rng;
use squall::check::http::HttpPolicy;
use squall::net::Connector;
use squall::prelude::*;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::judged::{Judged, assert_breaks, assert_judged, judge, with_faults};

const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// What the client and the services do wrong.
#[derive(Clone, Copy, Default)]
struct Wrong {
    client_never_gives_up: bool,
    client_ignores_pushback: bool,
    client_repeats_wrong_requests: bool,
    client_changes_the_key: bool,
    client_waits_equally_long: bool,
    front_forgets_keys: bool,
    front_asks_with_its_own_timeout: bool,
    front_confuses_ids: bool,
}

/// A channel that connects when it is needed, and again when it must.
fn channel(connector: Connector, to: &'static str) -> Channel {
    Endpoint::from_static(to).connect_with_connector_lazy(connector)
}

fn text(metadata: &MetadataMap, name: &str) -> String {
    metadata.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn request(service: &str, id: &str, key: Option<&str>, limit: Duration) -> Request<HealthCheckRequest> {
    let mut request = Request::new(HealthCheckRequest { service: service.to_owned() });
    request.set_timeout(limit);
    request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    if let Some(key) = key {
        request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    }
    request
}

/// Asks a service, all within a limit: tonic's own timeout stops at the head.
async fn ask(channel: &Channel, request: Request<HealthCheckRequest>, limit: Duration) -> Result<i32, Status> {
    let asked =
        async { HealthClient::new(channel.clone()).check(request).await.map(|answer| answer.into_inner().status) };
    tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
}

/// The time that a caller gives, from `grpc-timeout`.
fn time_given(metadata: &MetadataMap) -> Duration {
    let value = text(metadata, "grpc-timeout");
    let (number, unit) = value.split_at(value.len().saturating_sub(1));
    let number = number.parse().unwrap_or(1_000);
    match unit {
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        "S" => Duration::from_secs(number),
        _ => Duration::from_millis(number),
    }
}

/// The service that clients ask. It remembers what it has answered for each key.
struct Front {
    back: Channel,
    requests: AtomicU32,
    answers: Mutex<HashMap<String, i32>>,
    number: AtomicU32,
    last_id: Mutex<String>,
    wrong: Wrong,
}

type NoStream = futures::stream::Empty<Result<HealthCheckResponse, Status>>;

#[tonic::async_trait]
impl Health for Front {
    type WatchStream = NoStream;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let begun = Instant::now();
        if self.requests.fetch_add(1, Ordering::Relaxed) % 6 == 5 {
            let mut busy = Status::unavailable("busy");
            busy.metadata_mut().insert(PUSHBACK, "700".parse().unwrap());
            return Err(busy);
        }
        let (id, key) = (text(request.metadata(), "x-request-id"), text(request.metadata(), "idempotency-key"));
        let last_id = std::mem::replace(&mut *self.last_id.lock().unwrap(), id.clone());
        let given = time_given(request.metadata());
        let service = request.into_inner().service;
        if service.is_empty() {
            return Err(Status::invalid_argument("a service has a name"));
        }
        let known = self.answers.lock().unwrap().get(&key).copied();
        let status = match known {
            Some(status) => status,
            None => {
                let left = match self.wrong.front_asks_with_its_own_timeout {
                    true => Duration::from_secs(3),
                    false => given.saturating_sub(begun.elapsed()),
                };
                ask(&self.back, self::request(&service, &id, None, left), left).await?;
                let number = self.number.fetch_add(1, Ordering::Relaxed) as i32 + 1;
                match self.wrong.front_forgets_keys {
                    true => number,
                    false => *self.answers.lock().unwrap().entry(key).or_insert(number),
                }
            }
        };
        let mut response = Response::new(HealthCheckResponse { status });
        let shown = if self.wrong.front_confuses_ids && !last_id.is_empty() { last_id } else { id };
        response.metadata_mut().insert("x-request-id", shown.parse().unwrap());
        Ok(response)
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<NoStream>, Status> {
        Err(Status::unimplemented("nobody watches"))
    }
}

/// The service behind it, which fails now and then.
#[derive(Default)]
struct Back {
    requests: AtomicU32,
}

#[tonic::async_trait]
impl Health for Back {
    type WatchStream = NoStream;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match self.requests.fetch_add(1, Ordering::Relaxed) % 4 {
            3 => Err(Status::unavailable("not now")),
            _ => Ok(Response::new(HealthCheckResponse { status: 1 })),
        }
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<NoStream>, Status> {
        Err(Status::unimplemented("nobody watches"))
    }
}

/// Makes calls one after the other, each with up to three attempts.
async fn call(connector: Connector, name: String, wrong: Wrong) {
    let channel = channel(connector, "http://front:80");
    for number in 0..40_u32 {
        // Every eighth request is wrong, and is refused. Every fifth call is the one before it, asked twice.
        let asked = if number % 5 == 4 { number - 1 } else { number };
        let service = if asked % 8 == 7 { "" } else { "shop" };
        let id = format!("{name}-{number}");
        let most = if wrong.client_never_gives_up { 8 } else { 3 };
        for attempt in 0..most {
            let key = format!("{name}-{asked}");
            let key = if wrong.client_changes_the_key { format!("{key}-{attempt}") } else { key };
            let limit = Duration::from_millis(800);
            let Err(status) = ask(&channel, request(service, &id, Some(&key), limit), limit).await else { break };
            let is_final =
                !matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled);
            if is_final && !wrong.client_repeats_wrong_requests {
                break;
            }
            let pushback = text(status.metadata(), PUSHBACK).parse().ok().map(Duration::from_millis);
            let pushback = pushback.filter(|_| !wrong.client_ignores_pushback);
            let most_ms = 100 << attempt.min(4);
            let backoff = match wrong.client_waits_equally_long {
                true => most_ms,
                false => rand_0_9::rng().random_range(0..=most_ms),
            };
            tokio::time::sleep(pushback.unwrap_or(Duration::from_millis(backoff))).await;
        }
        let pause = rand_0_9::rng().random_range(100..=600);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

fn scenario(wrong: Wrong) -> Scenario {
    let front = move |connector: Connector| Front {
        back: channel(connector, "http://back:80"),
        requests: AtomicU32::default(),
        answers: Mutex::default(),
        number: AtomicU32::default(),
        last_id: Mutex::default(),
        wrong,
    };
    let scenario = Scenario::new("hops")
        .host("front", move |cx| async move {
            let service = HealthServer::from_arc(Arc::new(front(cx.connector())));
            Server::builder().add_service(service).serve_with_incoming(cx.listener(80)).await
        })
        .host("back", |cx| async move {
            let service = HealthServer::new(Back::default());
            Server::builder().add_service(service).serve_with_incoming(cx.listener(80)).await
        })
        .hosts("client", 3, move |cx| call(cx.connector(), cx.name().to_owned(), wrong));
    with_faults(scenario, "client", "front", "back")
}

fn found(wrong: Wrong) -> Judged {
    judge(scenario(wrong), &HttpPolicy { quiet_after: secs(15), ..HttpPolicy::default() })
}

#[test]
fn fifteen_promises_of_a_tonic_service_are_judged_without_instrumentation() {
    assert_judged(&found(Wrong::default()));
}

#[test]
fn mistakes_of_a_tonic_service_and_its_client_are_caught() {
    let right = Wrong::default();
    assert_breaks("R1", &["R3", "R2"], &found(Wrong { client_never_gives_up: true, ..right }));
    assert_breaks("R5", &[], &found(Wrong { client_ignores_pushback: true, ..right }));
    assert_breaks("R4", &[], &found(Wrong { client_waits_equally_long: true, ..right }));
    assert_breaks("R7", &[], &found(Wrong { client_repeats_wrong_requests: true, ..right }));
    assert_breaks("I5", &[], &found(Wrong { client_changes_the_key: true, ..right }));
    assert_breaks("I3", &[], &found(Wrong { front_forgets_keys: true, ..right }));
    assert_breaks("T3", &[], &found(Wrong { front_asks_with_its_own_timeout: true, ..right }));
    assert_breaks("P5", &[], &found(Wrong { front_confuses_ids: true, ..right }));
}
