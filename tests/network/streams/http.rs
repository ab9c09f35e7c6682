//! Connection faults as hyper sees them: real HTTP/1 clients and servers under resets, closes, stalls and corruption.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use squall::fault::FaultGenerator;

use super::*;

/// The server's answer to `GET`: longer than a head, and shorter than a segment.
const PAGE: &[u8] = &[b'p'; 2_000];

/// Answers `GET` with a page and any other method with the request's body; notes incomplete bodies.
async fn serve(cx: HostContext, seen: Seen) -> io::Result<()> {
    let listener = cx.listener(80);
    loop {
        let (stream, _) = listener.accept().await?;
        let (cx, seen) = (cx.clone(), seen.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let (cx, seen) = (cx.clone(), seen.clone());
            async move {
                let is_get = request.method() == hyper::Method::GET;
                match request.into_body().collect().await {
                    Ok(_) if is_get => Ok(Response::new(Full::<Bytes>::from(PAGE))),
                    Ok(body) => Ok(Response::new(Full::from(body.to_bytes()))),
                    Err(error) => {
                        note(&seen, &cx, format!("{error:?}"));
                        Err(error)
                    }
                }
            }
        });
        let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(async move { drop(serving.await) });
    }
}

type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

async fn connect(cx: &HostContext) -> Sender {
    let stream = cx.connector().connect("server", 80).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

async fn ask(sender: &mut Sender, method: &str, body: &'static [u8]) -> hyper::Result<Bytes> {
    let request = Request::builder().method(method).uri("/").header("host", "server").body(Full::from(body)).unwrap();
    Ok(sender.send_request(request).await?.into_body().collect().await?.to_bytes())
}

/// Requests the page on a fresh connection at 0.5, 1.5 and 5 s, and notes each result.
async fn ask_thrice(cx: HostContext, seen: Seen) {
    for begins in [500, 1_500, 5_000] {
        until(&cx, begins).await;
        let mut sender = connect(&cx).await;
        match ask(&mut sender, "GET", b"").await {
            Ok(page) => note(&seen, &cx, if page == PAGE { "page" } else { "another page" }),
            Err(error) => note(&seen, &cx, format!("{error:?}")),
        }
    }
}

fn during(fault: FaultGenerator) -> Vec<Fault> {
    vec![fault.at(secs(1)).lasting(secs(2))]
}

#[test]
fn a_close_or_a_reset_in_the_middle_of_an_answer_is_an_error_of_hyper() {
    let nobody = Seen::default();
    let asked = |fault: FaultGenerator| {
        labels(&world_with(20, during(fault.one_way()), sharing(&nobody, serve), ask_thrice, |s| s).1)
    };
    // In the head, then in the body.
    for (after, closed, reset) in [
        (60, "hyper::Error(IncompleteMessage)", "hyper::Error(Io, Custom { kind: ConnectionReset,"),
        (
            1_000,
            "hyper::Error(Body, Custom { kind: UnexpectedEof,",
            "hyper::Error(Body, Custom { kind: ConnectionReset,",
        ),
    ] {
        for (fault, expected) in
            [(fault::close(after, "server", "client"), closed), (fault::reset(after, "server", "client"), reset)]
        {
            let seen = asked(fault);
            assert_eq!((seen[0].as_str(), seen[2].as_str(), seen.len()), ("page", "page", 3));
            assert!(seen[1].starts_with(expected), "{}", seen[1]);
        }
    }
    assert!(labels(&nobody).is_empty());
}

#[test]
fn a_close_in_the_body_of_an_upload_gives_the_server_an_incomplete_body() {
    let errors = Seen::default();
    let client = |cx: HostContext, seen: Seen| async move {
        tokio::time::sleep(millis(1_500)).await;
        let mut sender = connect(&cx).await;
        let error = ask(&mut sender, "POST", &[7; 5_000]).await.unwrap_err();
        note(&seen, &cx, format!("{error:?}"));
    };
    let fault = fault::close(3_000, "client", "server").one_way();
    let (run, seen) = world_with(20, during(fault), sharing(&errors, serve), client, |s| s);
    assert_eq!(labels(&errors).len(), 1, "{errors:?}");
    assert!(labels(&errors)[0].contains("UnexpectedEof"), "{errors:?}");
    assert!(labels(&seen)[0].contains("Incomplete"), "{seen:?}");
    assert_eq!(run.outcome.fault_effects, vec![1]);
}

#[test]
fn a_stall_behind_the_headers_times_the_client_out_and_then_completes() {
    let nobody = Seen::default();
    let client = |cx: HostContext, seen: Seen| async move {
        tokio::time::sleep(millis(1_500)).await;
        let mut sender = connect(&cx).await;
        let request = Request::builder().uri("/").header("host", "server").body(Full::default()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        note(&seen, &cx, answer.status());
        let mut body = Box::pin(answer.into_body().collect());
        let quiet = tokio::time::timeout(secs(1), &mut body).await;
        note(&seen, &cx, if quiet.is_err() { "silence" } else { "body" });
        assert_eq!(body.await.unwrap().to_bytes(), PAGE);
        note(&seen, &cx, "whole");
    };
    let fault = fault::stall(500, "server", "client").one_way();
    let (_, seen) = world_with(20, during(fault), sharing(&nobody, serve), client, |s| s);
    assert_eq!(labels(&seen), ["200 OK", "silence", "whole"]);
    assert_between(at(&seen, "200 OK"), 1_580, 1_583);
    assert_between(at(&seen, "whole"), 3_000, 3_002);
}

#[test]
fn a_corrupted_bit_in_a_body_arrives_and_the_exchange_completes() {
    let nobody = Seen::default();
    let client = |cx: HostContext, seen: Seen| async move {
        let mut sender = connect(&cx).await;
        for begins in [500, 1_500, 3_500] {
            until(&cx, begins).await;
            let page = ask(&mut sender, "GET", b"").await.unwrap();
            let bits: u32 = page.iter().zip(PAGE).map(|(a, b)| (a ^ b).count_ones()).sum();
            note(&seen, &cx, format!("{} bytes, {bits} bits corrupted", page.len()));
        }
    };
    let (run, seen) =
        world_with(20, during(fault::corrupt(1.0, "client", "server")), sharing(&nobody, serve), client, |s| s);
    assert_eq!(
        labels(&seen),
        ["2000 bytes, 0 bits corrupted", "2000 bytes, 1 bits corrupted", "2000 bytes, 0 bits corrupted"]
    );
    assert_eq!(run.outcome.fault_effects, vec![1]);
}

#[test]
fn reads_and_writes_of_one_byte_leave_an_exchange_correct() {
    let nobody = Seen::default();
    let faults = ["client", "server"].into_iter().flat_map(|host| {
        [fault::short_reads(host, 1), fault::short_writes(host, 1)].map(|fault| fault.at_start().lasting(secs(100)))
    });
    let client = |cx: HostContext, seen: Seen| async move {
        let mut sender = connect(&cx).await;
        assert_eq!(ask(&mut sender, "GET", b"").await.unwrap(), PAGE);
        assert_eq!(ask(&mut sender, "POST", &[b'x'; 3_000]).await.unwrap(), [b'x'; 3_000][..]);
        note(&seen, &cx, "answered");
    };
    let (run, seen) = world_with(20, faults.collect(), sharing(&nobody, serve), client, |s| s);
    assert_between(at(&seen, "answered"), 120, 130);
    assert!(run.outcome.fault_effects.iter().all(|effects| *effects > 1_000), "{:?}", run.outcome.fault_effects);
}

#[test]
fn closing_an_idle_pooled_connection_fails_a_request_sent_at_that_time() {
    // Before the end of the stream has arrived, and after.
    for (begins, expected) in [(1_010, "hyper::Error(IncompleteMessage)"), (1_030, "hyper::Error(Canceled,")] {
        let nobody = Seen::default();
        let client = move |cx: HostContext, seen: Seen| async move {
            let mut sender = connect(&cx).await;
            assert_eq!(ask(&mut sender, "GET", b"").await.unwrap(), PAGE);
            until(&cx, begins).await;
            let error = ask(&mut sender, "GET", b"").await.unwrap_err();
            note(&seen, &cx, format!("{error:?}"));
            let mut sender = connect(&cx).await;
            assert_eq!(ask(&mut sender, "GET", b"").await.unwrap(), PAGE);
        };
        let fault = fault::close_idle(secs(10), "client", "server");
        let (run, seen) = world_with(20, during(fault), sharing(&nobody, serve), client, |s| s);
        assert_eq!(run.outcome.fault_effects, vec![1]);
        assert!(labels(&seen).len() == 1 && labels(&seen)[0].starts_with(expected), "{seen:?}");
    }
}

/// Posts the page, gets it, and posts it again; notes how each request ended and how long it took.
async fn post_get_post(cx: HostContext, seen: Seen) {
    for method in ["POST", "GET", "POST"] {
        let mut sender = connect(&cx).await;
        let asked = cx.elapsed();
        let end = match ask(&mut sender, method, if method == "GET" { b"" } else { PAGE }).await {
            Ok(page) => if page == PAGE { "page" } else { "another page" }.to_owned(),
            Err(error) => format!("{error:?}"),
        };
        seen.lock().unwrap().push((end, cx.elapsed() - asked));
    }
}

/// The observations of the client under a fault that begins with a message, and the notes of the server.
fn at_trigger_point(fault: Fault) -> (Vec<(String, Duration)>, Vec<String>) {
    let noted = Seen::default();
    let (run, seen) = world_with(20, vec![fault], sharing(&noted, serve), post_get_post, |scenario| scenario);
    assert_eq!(run.outcome.fault_effects, [1]);
    let seen = seen.lock().unwrap().clone();
    (seen, labels(&noted))
}

fn words(seen: &[(String, Duration)]) -> Vec<&str> {
    seen.iter().map(|(what, _)| what.split('(').next().unwrap()).collect()
}

#[test]
fn an_answer_is_lost_after_its_request_was_processed() {
    let lost = fault::reset(0, "server", "client").one_way().at_nth_message("server", "client", "HTTP/1.1 200", 2);
    let (seen, noted) = at_trigger_point(lost.lasting(millis(10)));
    assert_eq!(words(&seen), ["page", "hyper::Error", "page"]);
    assert!(seen[1].0.contains("ConnectionReset"), "{seen:?}");
    assert_eq!(noted, [""; 0], "the server received every request whole");
}

#[test]
fn an_upload_is_closed_in_its_body() {
    let close = fault::close(1_000, "client", "server").one_way().at_nth_message("client", "server", "POST", 1);
    let (seen, noted) = at_trigger_point(close.lasting(millis(10)));
    assert_eq!(words(&seen), ["hyper::Error", "page", "page"]);
    assert_eq!(noted.len(), 1);
    assert!(noted[0].contains("Body") && noted[0].contains("UnexpectedEof"), "{noted:?}");
}

#[test]
fn a_body_stalls_after_its_headers() {
    let stall = fault::stall(100, "client", "server").one_way().at_nth_message("client", "server", "POST", 2);
    let (seen, noted) = at_trigger_point(stall.lasting(secs(2)));
    assert_eq!(words(&seen), ["page", "page", "page"]);
    assert_between(seen[0].1, 40, 41);
    assert_between(seen[2].1, 2_020, 2_050);
    assert_eq!(noted, [""; 0]);
}
