//! Real axum, hyper-util and tonic over the simulated network, unchanged.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use squall::internal::run::{Detail, Run, run};
use squall::prelude::*;
use squall::scenario::Case;
use tonic::transport::{Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// The number of requests that each client sends.
const ANSWERS: u64 = 50;

/// Asserts that a client gets all of its answers from the server of this scenario, despite lost segments.
fn assert_all_answered<Fut>(with_server: Scenario, client: fn(HostContext, Arc<AtomicU64>) -> Fut)
where
    Fut: Future<Output = ()> + 'static,
{
    let answers = Arc::new(AtomicU64::new(0));
    let counted = answers.clone();
    let scenario = with_server
        .host("client", move |cx| client(cx, counted.clone()))
        .fault(fault::loss(0.1, "client", "server").throughout())
        .run_for(secs(60))
        .settle_for(secs(1));
    for seed in 0..4 {
        let outcome = run(&scenario, &scenario.case(Seed(seed)), Detail::Lean).outcome;
        assert!(outcome.verdict.is_pass(), "{:?}", outcome.findings);
        assert!(outcome.fault_effects.iter().sum::<u64>() > 0, "the loss must be effective");
    }
    assert_eq!(answers.load(Ordering::Relaxed), 4 * ANSWERS);
}

#[test]
fn axum_serves_hyper_utils_client() {
    let with_server = Scenario::new("axum").host("server", |cx| async move {
        let app = Router::new().route("/who", get(|| async { "a simulated server" }));
        axum::serve(cx.listener(80), app).await
    });
    assert_all_answered(with_server, |cx, answers| async move {
        let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(cx.connector());
        for _ in 0..ANSWERS {
            let answer = client.get("http://server/who".parse().unwrap()).await.unwrap();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "a simulated server");
            answers.fetch_add(1, Ordering::Relaxed);
        }
    });
}

#[test]
fn tonic_serves_its_own_client() {
    let with_server = Scenario::new("tonic").host("server", |cx| async move {
        let (reporter, service) = tonic_health::server::health_reporter();
        reporter.set_service_status("shop", tonic_health::ServingStatus::Serving).await;
        Server::builder().add_service(service).serve_with_incoming(cx.listener(50051)).await
    });
    assert_all_answered(with_server, |cx, answers| async move {
        let endpoint = Endpoint::from_static("http://server:50051");
        let channel = endpoint.connect_with_connector(cx.connector()).await.unwrap();
        let mut client = HealthClient::new(channel);
        for _ in 0..ANSWERS {
            let answer = client.check(HealthCheckRequest { service: "shop".into() }).await.unwrap();
            assert_eq!(answer.into_inner().status, 1);
            answers.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// Runs one user of a server that greets, accepts orders, and never answers `/never`, while it is cut off at these times.
fn used<Fut>(cut: Option<(u64, u64)>, user: fn(HostContext) -> Fut) -> Run
where
    Fut: Future<Output = ()> + 'static,
{
    let scenario = Scenario::new("used")
        .host("server", |cx| async move {
            let app = Router::new().route("/", get(|| async { "hello" }).post(|body: String| async { body }));
            axum::serve(cx.listener(80), app.route("/never", get(std::future::pending::<String>))).await
        })
        .host("user", user)
        .check(|_: &Trace, _: &History| Verdict::Pass)
        .run_for(secs(20));
    let case = Case::new("used", Seed(1));
    let case = match cut {
        Some((from, to)) => case.fault(fault::partition("user", "server").at(millis(from)).lasting(millis(to - from))),
        None => case,
    };
    let run = run(&scenario, &case, Detail::Rich);
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
    run
}

#[test]
fn a_programs_http_client_keeps_its_connection_and_reads_bodies() {
    let run = used(None, |cx| async move {
        for _ in 0..3 {
            let response = cx.http().get("http://server/").await.unwrap();
            assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, &b"hello"[..]));
        }
        assert_eq!(cx.http().post("http://server/", "tea").await.unwrap().body(), "tea");
        assert_eq!(cx.http().get("http://server/none").await.unwrap().status().as_u16(), 404);
        assert_eq!(cx.http().get("no uri").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
    assert_eq!(run.trace.connections().len(), 1);
}

#[test]
fn a_programs_http_client_gives_up_after_its_limit() {
    used(None, |cx| async move {
        for (limit, client) in [(secs(2), cx.http()), (millis(300), cx.http().limit(millis(300)))] {
            let asked_at = cx.elapsed();
            let error = client.get("http://server/never").await.unwrap_err();
            assert_eq!((error.kind(), cx.elapsed() - asked_at), (ErrorKind::TimedOut, limit));
        }
    });
}

#[test]
fn a_programs_http_client_sends_again_what_may_be_sent_again() {
    let run = used(Some((1_000, 4_000)), |cx| async move {
        tokio::time::sleep(secs(1)).await;
        let client = cx.http().limit(secs(1)).attempts(5);
        assert_eq!(client.post("http://server/", "tea").await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(cx.elapsed(), secs(2), "a post is sent once");
        assert_eq!(client.get("http://server/").await.unwrap().status().as_u16(), 200);
        let took = cx.elapsed() - secs(2);
        assert!(
            (millis(2_150)..millis(3_400)).contains(&took),
            "two attempts fail, and the third is answered: {took:?}"
        );
    });
    let asked = run.trace.exchanges().iter().filter(|exchange| exchange.method == "POST").count();
    assert!(asked <= 1, "{asked} orders");
}
