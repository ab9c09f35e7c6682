//! Real axum, hyper-util and tonic over the simulated network, unchanged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use squall::internal::run::{Detail, run};
use squall::prelude::*;
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
