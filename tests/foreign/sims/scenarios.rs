//! The scenarios of a user's project: an axum router and a tonic health service, each with a few lines of glue, and a
//! client that gives up too early.

use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use squall::check;
use squall::prelude::*;
use tonic::transport::{Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

async fn greet(cx: &HostContext, tries: u32) -> Result<String, String> {
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<axum::body::Bytes>>(cx.connector());
    let mut last = String::new();
    for _ in 0..tries {
        match client.get("http://server/greeting".parse().unwrap()).await {
            Ok(answer) => {
                let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
                return Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned());
            }
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(millis(300)).await;
    }
    Err(last)
}

fn greeting(name: &str, tries: u32) -> Scenario {
    Scenario::new(name)
        .host("server", |cx| async move { axum::serve(cx.listener(80), foreign::router()).await })
        .host("client", move |cx| async move {
            for number in 0..20 {
                let operation = cx.recorder().invoke("greet", &number);
                match greet(&cx, tries).await {
                    Ok(words) => operation.ok(&words),
                    Err(error) => operation.fail(error),
                }
                tokio::time::sleep(millis(500)).await;
            }
        })
        .fault(fault::kill("server").every(secs(2)..secs(6)).lasting(millis(200)..secs(1)))
        .check(check::no_operation_fails())
        .run_for(secs(15))
        .settle_for(secs(15))
}

pub fn router() -> Scenario {
    greeting("router", 20)
}

pub fn impatient() -> Scenario {
    greeting("impatient", 1)
}

pub fn health() -> Scenario {
    Scenario::new("health")
        .host("server", |cx| async move {
            let (reporter, service) = tonic_health::server::health_reporter();
            reporter.set_service_status("greeter", tonic_health::ServingStatus::Serving).await;
            Server::builder().add_service(service).serve_with_incoming(cx.listener(50051)).await
        })
        .host("client", |cx| async move {
            let endpoint = Endpoint::from_static("http://server:50051");
            let channel = endpoint.connect_with_connector(cx.connector()).await.map_err(|e| e.to_string())?;
            let mut client = HealthClient::new(channel);
            for _ in 0..20 {
                let operation = cx.recorder().invoke("check", &());
                match client.check(HealthCheckRequest { service: "greeter".into() }).await {
                    Ok(answer) => operation.ok(&answer.into_inner().status),
                    Err(status) => operation.fail(status),
                }
            }
            Ok::<(), String>(())
        })
        .fault(fault::loss(0.2, "client", "server").throughout())
        .check(check::no_operation_fails())
        .run_for(secs(15))
        .settle_for(secs(5))
}
