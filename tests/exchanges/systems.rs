//! Real programs: hyper over both versions, tonic, and what faults do to their exchanges.

use super::*;

/// Answers with the body of the request and the path.
async fn echo(_: HostContext, request: Request<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = request.body().to_vec();
    answer.extend_from_slice(request.uri().path().as_bytes());
    Response::new(Full::new(answer.into()))
}

#[test]
fn both_versions_of_http_are_read_with_times_and_bodies() {
    let run = observed(
        Scenario::new("versions")
            .host("server", server(echo))
            .host("client", |cx: HostContext| async move {
                let mut one = http1(&cx, "server").await?;
                for n in 0..3 {
                    let response =
                        one.send_request(request("POST", &format!("/one/{n}"), &[], vec![7; 100_000 * n])).await;
                    assert_eq!(read(response.unwrap()).await.len(), 100_000 * n + 6);
                }
                let mut two = http2(&cx, "server").await?;
                let sent: Vec<_> = (0..3)
                    .map(|n| {
                        two.send_request(request(
                            "PUT",
                            &format!("/two/{n}?q=1"),
                            &[("x-request-id", "t")],
                            vec![8; 50_000 * n],
                        ))
                    })
                    .collect();
                for response in sent {
                    read(response.await.unwrap()).await;
                }
                std::io::Result::Ok(())
            })
            .latency(millis(20)..millis(20))
            .fault(fault::loss(0.05, "client", "server").throughout())
            .run_for(secs(60)),
    );
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    assert_eq!(
        lines(&run),
        [
            "POST /one/0 200: 0 B, 6 B, complete",
            "POST /one/1 200: 100000 B, 100006 B, complete",
            "POST /one/2 200: 200000 B, 200006 B, complete",
            "PUT /two/0?q=1 200: 0 B, 6 B, complete",
            "PUT /two/1?q=1 200: 50000 B, 50006 B, complete",
            "PUT /two/2?q=1 200: 100000 B, 100006 B, complete",
        ]
    );
    for exchange in run.trace.exchanges() {
        let response = exchange.response.as_ref().unwrap();
        let times = [
            Some(exchange.request.first_sent),
            exchange.request.first_arrived,
            exchange.request.last_arrived,
            Some(response.first_sent),
            response.first_arrived,
            response.last_arrived,
        ];
        assert!(times.is_sorted() && times.iter().all(Option::is_some), "{exchange}: {times:?}");
        assert!(exchange.request.first_arrived.unwrap() >= exchange.request.first_sent + millis(20));
        assert_eq!(exchange.ended_at, response.last_arrived);
        let (client, server) = (run.trace.name(exchange.client()), run.trace.name(exchange.server()));
        assert_eq!((client, server), ("client", "server"));
    }
    let two = &run.trace.exchanges()[3..];
    assert!(two.iter().all(|exchange| exchange.version == HttpVersion::Http2));
    assert_eq!(two.iter().map(|exchange| exchange.stream).collect::<Vec<_>>(), [1, 3, 5]);
    assert!(two.iter().all(|exchange| exchange.header("x-request-id") == Some("t")));
}

#[test]
fn grpc_has_its_path_its_timeout_and_its_status() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    let run = observed(
        Scenario::new("grpc")
            .host("server", |cx: HostContext| async move {
                let (reporter, service) = tonic_health::server::health_reporter();
                reporter.set_service_status("shop", tonic_health::ServingStatus::Serving).await;
                tonic::transport::Server::builder().add_service(service).serve_with_incoming(cx.listener(80)).await
            })
            .host("client", |cx: HostContext| async move {
                let endpoint = tonic::transport::Endpoint::from_static("http://server:80").timeout(secs(2));
                let channel = endpoint.connect_with_connector(cx.connector()).await.unwrap();
                let mut client = HealthClient::new(channel);
                for service in ["shop", "nobody"] {
                    let mut request = tonic::Request::new(HealthCheckRequest { service: service.into() });
                    request.set_timeout(secs(1));
                    assert_eq!(client.check(request).await.is_ok(), service == "shop");
                }
            })
            .run_for(secs(5)),
    );
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    let seen: Vec<_> = run.trace.exchanges().iter().map(|e| (e.path.as_str(), e.grpc_status, e.is_grpc)).collect();
    let path = "/grpc.health.v1.Health/Check";
    assert_eq!(seen, [(path, Some(0), true), (path, Some(5), true)]);
    assert!(run.trace.exchanges().iter().all(|e| e.header("grpc-timeout").is_some()));
    let judged = |name: &str| {
        let place = HttpPolicy::default().checks().iter().position(|check| check.name() == name).unwrap();
        run.outcome.judged[place]
    };
    assert_eq!(judged("T2 stated timeouts are kept"), 2);
}

/// One request to a server that answers after 2 s, with this fault.
fn slow(
    version: HttpVersion,
    faults: Vec<squall::fault::Fault>,
    gives_up: Duration,
) -> (Ending, Option<Duration>, bool) {
    let scenario = Scenario::new("slow")
        .host(
            "server",
            server(|_, _| async {
                tokio::time::sleep(secs(2)).await;
                Response::new(Full::new(Bytes::from_static(b"late")))
            }),
        )
        .host("client", move |cx: HostContext| async move {
            let asked = async {
                let request = request("GET", "/", &[], "");
                let response = match version {
                    HttpVersion::Http2 => http2(&cx, "server").await.unwrap().send_request(request).await,
                    _ => http1(&cx, "server").await.unwrap().send_request(request).await,
                };
                response.is_ok()
            };
            let _ = tokio::time::timeout(gives_up, asked).await;
            // A connection lives as long as its runtime.
            std::future::pending::<()>().await
        })
        .latency(millis(10)..millis(10))
        .fault(fault::scripted("script", faults))
        .run_for(secs(30));
    let run = observed(scenario);
    let exchange = run.trace.exchanges().first().expect("a request was sent").clone();
    (exchange.ending, exchange.ended_at, exchange.response.is_some())
}

#[test]
fn an_exchange_ends_as_its_client_sees_it() {
    use HttpVersion::{Http2, Http11};
    let never = secs(100);
    for version in [Http11, Http2] {
        assert_eq!(slow(version, vec![], never).0, Ending::Complete);
        let kill = fault::kill("server").at(secs(1)).lasting(secs(1));
        let (ending, ended_at, _) = slow(version, vec![kill], never);
        assert!(matches!(ending, Ending::Closed | Ending::Reset), "{version:?}: {ending:?}");
        assert_eq!(ended_at, Some(secs(1)));
        let (ending, ended_at, _) = slow(version, vec![], secs(1));
        assert_eq!((ending, ended_at), (Ending::Abandoned, Some(secs(1))), "{version:?}");
        // The response is on its way: it was sent after 2.03 s, and arrives after 2.04 s.
        let (ending, ended_at, has_response) = slow(version, vec![], millis(2_035));
        assert_eq!((ending, ended_at, has_response), (Ending::Abandoned, Some(millis(2_035)), true), "{version:?}");
        let off = fault::power_off("server").at(secs(1)).lasting(secs(100));
        assert_eq!(slow(version, vec![off], never).0, Ending::Open, "{version:?}");
        let off = fault::power_off("client").at(secs(1)).lasting(secs(100));
        let (ending, ended_at, _) = slow(version, vec![off], never);
        assert_eq!((ending, ended_at), (Ending::Abandoned, Some(secs(1))), "{version:?}");
        let reset = fault::reset(0, "client", "server").at(secs(2)).lasting(secs(1));
        let (ending, ..) = slow(version, vec![reset], never);
        assert_eq!(ending, Ending::Cut, "{version:?}");
    }
}

#[test]
fn an_observed_run_is_the_same_run_and_a_rich_one_always_is() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    // Without hyper, whose maps are not the same in two runs of one process.
    let scenario = Scenario::new("same")
        .host("server", |cx: HostContext| async move {
            let (mut stream, _) = cx.listener(80).accept().await?;
            let mut buffer = [0; 1_000];
            while stream.read(&mut buffer).await? > 0 {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
            }
            std::io::Result::Ok(())
        })
        .host("client", |cx: HostContext| async move {
            let mut stream = cx.connector().connect("server", 80).await?;
            for _ in 0..20 {
                stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
                stream.read_exact(&mut [0; 40]).await?;
            }
            std::io::Result::Ok(())
        })
        .fault(fault::loss(0.1, "client", "server").throughout())
        .run_for(secs(30));
    let case = scenario.case(Seed(3));
    let observing = scenario.clone().http_promises(&HttpPolicy::default());
    let (plain, rich) = (run(&scenario, &case, Detail::Lean), run(&scenario, &case, Detail::Rich));
    let observed = run(&observing, &case, Detail::Lean);
    assert_eq!(plain.outcome.fingerprint, observed.outcome.fingerprint);
    assert_eq!(plain.outcome.fingerprint, rich.outcome.fingerprint);
    assert!(plain.trace.exchanges().is_empty() && !plain.trace.observed().is_observed);
    assert_eq!(observed.trace.exchanges().len(), 20);
    assert_eq!(observed.trace.exchanges(), rich.trace.exchanges());
}

#[test]
fn connections_that_are_not_http_are_counted() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let run = observed(
        Scenario::new("bytes")
            .host("server", |cx: HostContext| async move {
                let listener = cx.listener(80);
                loop {
                    let (mut stream, _) = listener.accept().await?;
                    tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
                }
                #[expect(unreachable_code)]
                Ok::<(), std::io::Error>(())
            })
            .host("client", |cx: HostContext| async move {
                for bytes in [&b"\x16\x03\x01\x00\x05hello"[..], b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"\x16\x03\x03"] {
                    cx.connector().connect("server", 80).await?.write_all(bytes).await?;
                }
                std::io::Result::Ok(())
            })
            .run_for(secs(5)),
    );
    let seen = run.trace.observed();
    assert_eq!((seen.exchanges.len(), seen.tls_connections, seen.other_connections), (0, 2, 1));
    let check = HttpPolicy::default().attempts_are_limited();
    let verdict = check.judge(&run.trace, &run.history).to_string();
    assert!(verdict.starts_with("unknown: 2 connections speak TLS, which cannot be read"), "{verdict}");
}

#[test]
fn a_goaway_of_hyper_is_read_and_stands_in_the_timeline() {
    let scenario = Scenario::new("goaway")
        .host("server", |cx: HostContext| async move {
            let (stream, _) = cx.listener(80).accept().await?;
            let service = hyper::service::service_fn(|_: Request<Incoming>| async {
                tokio::time::sleep(secs(2)).await;
                Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"late"))))
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                _ = &mut connection => {}
                () = tokio::time::sleep(secs(1)) => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
            std::io::Result::Ok(())
        })
        .host("client", |cx: HostContext| async move {
            let mut sender = http2(&cx, "server").await?;
            let response = sender.send_request(request("GET", "/slow", &[], "")).await;
            assert_eq!(read(response.unwrap()).await, "late");
            std::io::Result::Ok(())
        })
        .run_for(secs(5))
        .settle_for(secs(1));
    let case = scenario.case(Seed(1));
    let recording = run(&scenario, &case, Detail::Rich).into_recording(case);
    assert!(recording.outcome.verdict.is_pass(), "{:?}", recording.outcome.findings);
    assert!(recording.observed.goaways.iter().any(|goaway| goaway.at >= secs(1)), "{:?}", recording.observed);
    let timeline = squall::internal::report::timeline(&recording, &Default::default());
    for line in ["r1 GET /slow", "r1 200 after 2.", "server takes no more streams from client (GOAWAY)"] {
        assert!(timeline.contains(line), "{line} is missing in\n{timeline}");
    }
}
