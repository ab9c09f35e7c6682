//! Tests of single parts of the shop: a client against misbehaving servers, and the arithmetic of its policies.
//!
//! Tests without sockets run with paused time.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};
use tokio::time::Instant;

use crate::fixture::{Client, order};
use crate::shop::admission::{Admission, AdmissionConfig};
use crate::shop::balance::{Backend, Balancing, Pool, PoolRules};
use crate::shop::breaker::{Breaker, BreakerConfig};
use crate::shop::client::{CallError, Effect, ShopClient};
use crate::shop::client_config::{ClientConfig, Keys};
use crate::shop::message::{Answer, Body, Expiry, User, json, problem};
use crate::shop::net::{TokioConnector, listen};
use crate::shop::observe::{AttemptOutcome, Observe, no_observer};
use crate::shop::retry::{Jitter, RetryBudget, backoff};
use crate::shop::serve::{ServeConfig, Shutdown, serve};
use crate::shop::token;

/// Starts a server that passes each request's number, counted from 1, to the script and gives its answer; without one,
/// it never answers. Also returns the count of requests.
async fn scripted(script: fn(u32) -> Option<Answer>) -> (SocketAddr, Arc<AtomicU32>) {
    let (listener, address) = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let requests = Arc::new(AtomicU32::new(0));
    let answer = move |requests: Arc<AtomicU32>, _: Request<Body>| async move {
        match script(requests.fetch_add(1, Ordering::Relaxed) + 1) {
            Some(answer) => answer,
            None => pending().await,
        }
    };
    tokio::spawn(serve(listener, ServeConfig::default(), Shutdown::new(), no_observer(), requests.clone(), answer));
    (address, requests)
}

fn client_of(address: SocketAddr, change: impl FnOnce(&mut ClientConfig)) -> Client {
    let mut config = ClientConfig {
        gateway: address.ip().to_string(),
        port: address.port(),
        retry_burst: 100.0,
        ..ClientConfig::default()
    };
    change(&mut config);
    ShopClient::new(TokioConnector::new(), config, no_observer())
}

fn refused_for(seconds: &'static str) -> Answer {
    let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, "not now");
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    answer
}

fn user() -> Answer {
    json(StatusCode::OK, &User { user: "ann".to_owned() })
}

#[tokio::test]
async fn a_call_to_a_silent_server_ends_at_its_deadline() {
    let (address, requests) = scripted(|_| None).await;
    let client = client_of(address, |config| {
        config.deadline = Duration::from_millis(500);
        config.attempt_timeout = Duration::from_millis(200);
        config.max_attempts = 100;
    });
    let started = Instant::now();
    let error = client.place_order(&order("teapot", 1)).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    assert!(matches!(error, CallError::DeadlineExceeded { effect: Effect::Unknown, .. }), "{error:?}");
    assert!((2..=5).contains(&requests.load(Ordering::Relaxed)));
}

#[tokio::test]
async fn retry_after_is_respected_or_the_call_fails_at_once() {
    let (address, _) = scripted(|number| Some(if number == 1 { refused_for("1") } else { user() })).await;
    let started = Instant::now();
    assert_eq!(client_of(address, |_| {}).whoami("x").await.unwrap(), "ann");
    assert!(started.elapsed() >= Duration::from_secs(1));

    let (address, requests) = scripted(|_| Some(refused_for("30"))).await;
    let started = Instant::now();
    let error = client_of(address, |_| {}).place_order(&order("teapot", 1)).await.unwrap_err();
    assert_eq!(error, CallError::DeadlineExceeded { attempts: 1, effect: Effect::None });
    assert!(started.elapsed() < Duration::from_secs(1), "the call must fail at once");
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn retries_end_at_the_attempt_limit_the_budget_or_a_final_answer() {
    let unwell: fn(u32) -> Option<Answer> = |_| Some(problem(StatusCode::BAD_GATEWAY, "unwell"));
    let quick = |config: &mut ClientConfig| config.backoff_base = Duration::from_millis(1);

    let (address, requests) = scripted(unwell).await;
    let error = client_of(address, quick).place_order(&order("teapot", 1)).await.unwrap_err();
    let last = AttemptOutcome::Status(502);
    assert_eq!(error, CallError::Unavailable { attempts: 4, last, effect: Effect::Unknown });
    assert_eq!(requests.load(Ordering::Relaxed), 4);

    let (address, requests) = scripted(unwell).await;
    let tight = client_of(address, |config| {
        quick(config);
        (config.retry_burst, config.retry_minimum_per_second) = (3.0, 0.0);
    });
    for _ in 0..10 {
        tight.whoami("x").await.unwrap_err();
    }
    // Ten calls, three retries from the burst, and two from a ratio of a fifth (the first deposit found the bucket
    // full).
    assert!((13..=15).contains(&requests.load(Ordering::Relaxed)), "{requests:?}");

    let (address, requests) = scripted(|_| Some(problem(StatusCode::BAD_REQUEST, "no"))).await;
    client_of(address, quick).place_order(&order("teapot", 1)).await.unwrap_err();
    assert_eq!(requests.load(Ordering::Relaxed), 1);

    // A client retries orders without keys only if it is configured to make that mistake.
    let unkeyed = |config: &mut ClientConfig| {
        quick(config);
        config.keys = Keys::None;
        config.may_be_repeated = |_| true;
    };
    let (address, requests) = scripted(unwell).await;
    client_of(address, unkeyed).place_order(&order("teapot", 1)).await.unwrap_err();
    assert_eq!(requests.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn the_budget_bounds_retries_in_every_window() {
    let budget = RetryBudget::new(0.2, 1.0, 5.0);
    assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 5);
    tokio::time::advance(Duration::from_secs(2)).await;
    (0..10).for_each(|_| budget.deposit());
    assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 4);
}

#[test]
fn waits_are_spread_below_a_bound_that_doubles() {
    let (base, cap) = (Duration::from_millis(50), Duration::from_secs(1));
    for (failures, bound_ms) in [(1, 50), (2, 100), (3, 200), (5, 800), (6, 1_000), (40, 1_000)] {
        let bound = Duration::from_millis(bound_ms);
        let waits: Vec<_> = (0..200).map(|_| backoff(base, cap, failures, Jitter::Full)).collect();
        assert!(waits.iter().all(|wait| *wait <= bound));
        assert!(waits.iter().any(|wait| *wait < bound / 4) && waits.iter().any(|wait| *wait > bound * 3 / 4));
        assert_eq!(backoff(base, cap, failures, Jitter::None), bound);
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_lets_one_probe_through_and_survives_losing_it() {
    let breaker = Breaker::new(BreakerConfig { failures: 2, ..BreakerConfig::default() }, no_observer());
    breaker.admit().unwrap().failed();
    // A caller that goes away counts neither as a success nor as a failure.
    drop(breaker.admit());
    breaker.admit().unwrap().failed();
    assert!(breaker.admit().is_none());
    tokio::time::advance(Duration::from_secs(1)).await;
    let probe = breaker.admit().unwrap();
    assert!(breaker.admit().is_none(), "only one probe at a time");
    drop(probe);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(breaker.admit().is_some());
}

/// Notes the numbers of the calls that began.
#[derive(Default)]
struct Numbers(Mutex<Vec<u64>>);

impl Observe for Numbers {
    fn call_started(&self, call: u64, _: Duration) {
        self.0.lock().unwrap().push(call);
    }
}

#[tokio::test(start_paused = true)]
async fn no_life_of_a_client_uses_the_number_of_a_call_again() {
    let numbers = Arc::new(Numbers::default());
    for (client_number, earlier_lives) in [(0, 0), (0, 1), (0, 2), (1, 0)] {
        let config = ClientConfig { client_number, earlier_lives, max_attempts: 1, ..ClientConfig::default() };
        let client = ShopClient::new(TokioConnector::new(), config, numbers.clone().into());
        for _ in 0..2 {
            // The gateway's name is not known.
            assert!(client.get_order(1).await.is_err());
        }
    }
    assert_eq!(*numbers.0.lock().unwrap(), [1, 2, 10_001, 10_002, 20_001, 20_002, 1_000_001, 1_000_002]);
}

const RULES: PoolRules =
    PoolRules { balancing: Balancing::RoundRobin, fall: 3, rise: 2, panic_threshold: 0.5, outliers: None };

#[test]
fn the_gateway_takes_turns_and_panics_when_most_are_ejected() {
    let backends: Vec<Backend> = (0..4).map(|number| Backend::new(format!("api-{number}"), 80)).collect();
    let pool = Pool::new(&backends, RULES, no_observer());
    let used = |count: usize| {
        (0..count).map(|_| pool.next(None).unwrap()).fold([0; 4], |mut used, index| {
            used[index] += 1;
            used
        })
    };
    assert_eq!(used(12), [3, 3, 3, 3]);
    (0..3).for_each(|_| pool.record_probe(1, false));
    assert_eq!(used(12), [4, 0, 4, 4]);
    assert_eq!((0..8).filter(|_| pool.next(Some(0)) == Some(0)).count(), 0);
    for index in [0, 2] {
        (0..3).for_each(|_| pool.record_probe(index, false));
    }
    assert_eq!(used(12), [3, 3, 3, 3], "only one of four is healthy, so the probes are ignored");
    (0..2).for_each(|_| pool.record_probe(0, true));
    assert_eq!(used(12), [6, 0, 0, 6]);
    assert_eq!(Pool::new(&[], RULES, no_observer()).next(None), None);
}

#[tokio::test(start_paused = true)]
async fn the_least_loaded_is_chosen_unless_it_has_failed() {
    let backends: Vec<Backend> = (0..2).map(|number| Backend::new(format!("api-{number}"), 80)).collect();
    let balancing = Balancing::LeastRequest { choices: 2, shun_failed_for: Duration::from_secs(1) };
    let pool = Pool::new(&backends, PoolRules { balancing, ..RULES }, no_observer());
    let always = |pool: &Pool| (0..50).map(|_| pool.next(None).unwrap()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(always(&pool).len(), 2, "they are equal");
    let busy = pool.begin(0);
    assert_eq!(always(&pool), [1].into());
    pool.begin(1).failed();
    assert_eq!(always(&pool), [0].into(), "what fails has nothing in flight");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(always(&pool), [1].into());
    drop(busy);
    assert_eq!(always(&pool).len(), 2);
    assert_eq!((0..50).filter(|_| pool.next(Some(0)) == Some(0)).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn few_wait_for_a_worker_and_none_for_longer_than_its_deadline() {
    let expiry = |millis| Expiry::from_headers(&HeaderMap::new(), Duration::from_millis(millis));
    let admission = Arc::new(Admission::new(AdmissionConfig { workers: 1, queue: 1 }));
    let working = admission.enter(expiry(100)).await.unwrap();
    let next = admission.clone();
    let waiting =
        tokio::spawn(async move { next.enter(expiry(1_000)).await.map(drop).map_err(|answer| answer.status()) });
    tokio::time::sleep(Duration::from_millis(10)).await;

    let refusal = admission.enter(expiry(1_000)).await.unwrap_err();
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refusal.headers()[RETRY_AFTER], "1");
    drop(working);
    assert_eq!(waiting.await.unwrap(), Ok(()));

    let _working = admission.enter(expiry(100)).await.unwrap();
    let started = Instant::now();
    let late = admission.enter(expiry(200)).await.unwrap_err();
    assert_eq!((late.status(), late.headers().get(RETRY_AFTER)), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert_eq!(started.elapsed(), Duration::from_millis(200));
}

#[test]
fn tokens_expire_and_need_the_secret() {
    let token = token::sign(b"secret", "ann", Duration::from_secs(60));
    assert_eq!(token::verify(b"secret", &token).as_deref(), Some("ann"));
    assert_eq!(token::verify(b"another", &token), None);
    assert_eq!(token::verify(b"secret", &token::sign(b"secret", "ann", Duration::ZERO)), None);
    assert_eq!(token::verify(b"secret", "..."), None);
}
