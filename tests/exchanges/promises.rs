//! Promises that are judged off the wire, each broken by a small system that makes one mistake.

use super::*;

use squall::check::Breach;

/// What a client sends, with which headers, and how often it tries.
#[derive(Clone, Copy)]
struct Client {
    method: &'static str,
    /// The headers of an attempt with this number.
    headers: fn(u32) -> Vec<(&'static str, String)>,
    attempts: u32,
    timeout: Duration,
    /// The pause after an attempt whose response asks for so many seconds.
    pause: fn(Option<u64>) -> Duration,
}

const RIGHT: Client = Client {
    method: "POST",
    headers: |_| vec![("idempotency-key", "k1".to_owned()), ("x-request-id", "call-1".to_owned())],
    attempts: 3,
    timeout: Duration::from_millis(500),
    pause: |asked| asked.map_or(Duration::from_millis(100), Duration::from_secs),
};

/// Sends one request until it is accepted or final, or the attempts are used up.
async fn call(cx: HostContext, client: Client) {
    for attempt in 0..client.attempts {
        let headers = (client.headers)(attempt);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let asked = tokio::time::timeout(client.timeout, async {
            let mut sender = http1(&cx, "server").await.ok()?;
            let response = sender.send_request(request(client.method, "/orders", &headers, "one")).await.ok()?;
            let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let status = response.status().as_u16();
            read(response).await;
            Some((status, after))
        });
        let answer = asked.await.ok().flatten();
        if matches!(answer, Some((200..=399, _))) {
            return;
        }
        tokio::time::sleep((client.pause)(answer.and_then(|(_, after)| after))).await;
    }
}

/// A system of this client and a server that answers with these statuses, one after the other, the last for ever.
fn system(client: Client, statuses: &'static [&'static str]) -> Run {
    let answered = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    observed(
        Scenario::new("promises")
            .host(
                "server",
                server(move |_, request: Request<Bytes>| {
                    let number = answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    async move {
                        let said = statuses[number.min(statuses.len() - 1)];
                        let (status, header) = said.split_once('|').unwrap_or((said, ""));
                        if status == "never" {
                            std::future::pending::<()>().await;
                        }
                        let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
                        *response.status_mut() = status.parse().unwrap();
                        if let Some((name, value)) = header.split_once('=') {
                            response.headers_mut().insert(name, value.parse().unwrap());
                        }
                        if let Some(id) = request.headers().get("x-request-id") {
                            response.headers_mut().insert("x-request-id", id.clone());
                        }
                        response
                    }
                }),
            )
            .host("client", move |cx: HostContext| call(cx, client))
            .latency(millis(5)..millis(5))
            .run_for(secs(20)),
    )
}

/// The names of the checks that fail, without their words.
fn broken(run: &Run) -> Vec<&str> {
    for finding in &run.outcome.findings {
        let moment = finding.verdict.breach().map(Breach::moment);
        let is_within = |at: std::time::Duration| at <= run.outcome.simulated;
        assert!(moment.is_none_or(|at| at.is_some_and(is_within)), "{finding:?} has no moment");
    }
    run.outcome.findings.iter().map(|finding| finding.check.split(' ').next().unwrap_or_default()).collect()
}

#[test]
fn a_right_client_keeps_all_promises() {
    let run = system(RIGHT, &["503|retry-after=1", "never", "201"]);
    assert_eq!(broken(&run), [""; 0], "{:?}", run.outcome.findings);
    assert_eq!(run.trace.exchanges().len(), 3);
    let judged = run.outcome.judged.iter().filter(|judged| **judged > 0).count();
    assert!(judged >= 6, "{:?}", run.outcome.judged);
}

#[test]
fn each_mistake_breaks_its_promise_and_no_other() {
    let wrong = [
        ("R1", Client { attempts: 5, ..RIGHT }, &["503"][..]),
        ("R5", Client { pause: |_| millis(100), ..RIGHT }, &["503|retry-after=2", "201"]),
        ("R6", Client { headers: |_| vec![], ..RIGHT }, &["never", "201"]),
        ("R7", RIGHT, &["422"]),
        (
            "I5",
            Client {
                headers: |attempt| vec![("idempotency-key", format!("k{attempt}")), ("x-request-id", "c".to_owned())],
                ..RIGHT
            },
            &["503", "201"],
        ),
        (
            "T2",
            Client {
                headers: |_| vec![("idempotency-key", "k".to_owned()), ("x-deadline-ms", "200".to_owned())],
                ..RIGHT
            },
            &["never"],
        ),
    ];
    for (promise, client, statuses) in wrong {
        let run = system(client, statuses);
        let broken = broken(&run);
        assert!(broken.contains(&promise), "{promise}: {:?}", run.outcome.findings);
        // More attempts than allowed are more than allowed at the hop, too.
        let others: Vec<_> = broken.iter().filter(|other| **other != promise && **other != "R3").collect();
        assert!(others.is_empty(), "{promise}: {:?}", run.outcome.findings);
    }
}

/// A server that answers what it reads with these bytes, one after the other, and closes its side after the last if it is
/// to; and a client that sends these bytes at these times, in milliseconds, on one connection. Neither knows HTTP.
fn script(answers: &[&[u8]], closes: bool, sends: &[(u64, &[u8])]) -> Run {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let answers: Vec<Vec<u8>> = answers.iter().map(|answer| answer.to_vec()).collect();
    let sends: Vec<(u64, Vec<u8>)> = sends.iter().map(|(at, bytes)| (*at, bytes.to_vec())).collect();
    observed(
        Scenario::new("script")
            .host("server", move |cx: HostContext| {
                let answers = answers.clone();
                async move {
                    let (mut stream, _) = cx.listener(80).accept().await?;
                    for answer in answers {
                        let _ = stream.read(&mut [0; 1_000]).await?;
                        stream.write_all(&answer).await?;
                    }
                    if closes {
                        stream.shutdown().await?;
                    }
                    std::future::pending::<()>().await;
                    std::io::Result::Ok(())
                }
            })
            .host("client", move |cx: HostContext| {
                let sends = sends.clone();
                async move {
                    let mut stream = cx.connector().connect("server", 80).await?;
                    for (at, bytes) in sends {
                        tokio::time::sleep(millis(at).saturating_sub(cx.elapsed())).await;
                        stream.write_all(&bytes).await?;
                    }
                    std::future::pending::<()>().await;
                    std::io::Result::Ok(())
                }
            })
            .keep_header("X-Mine")
            .latency(millis(5)..millis(5))
            .run_for(secs(5)),
    )
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-mine: 1\r\n\r\n";
const GET: &[u8] = b"GET / HTTP/1.1\r\nX-Mine: 2\r\nx-other: 3\r\n\r\n";

#[test]
fn a_connection_whose_end_was_seen_must_not_be_used() {
    let twice = &[(100, GET), (1_000, GET)];
    let right = script(&[OK, OK], true, twice);
    assert_eq!(broken(&right), [""; 0]);
    let header = |exchange: &Exchange, name: &str| exchange.header(name).map(str::to_owned);
    let first = &right.trace.exchanges()[0];
    assert_eq!((header(first, "x-mine").as_deref(), header(first, "x-other")), (Some("2"), None));
    assert_eq!(first.response.as_ref().and_then(|response| response.header("x-mine")), Some("1"));

    assert_eq!(broken(&script(&[OK], true, twice)), ["P1"], "the server had closed its side");
    let last: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(broken(&script(&[last], false, twice)), ["P1"], "the server had said that it would close");

    // `:method: GET` and `:path: /` on streams 1 and 3, and a `GOAWAY` after the first.
    let first = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x02\x01\x05\0\0\0\x01\x82\x84";
    let second = b"\0\0\x02\x01\x05\0\0\0\x03\x82\x84";
    let streams = &[(100, &first[..]), (1_000, &second[..])];
    let ok = b"\0\0\x01\x01\x05\0\0\0\x01\x88";
    let goaway = b"\0\0\x01\x01\x05\0\0\0\x01\x88\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    assert_eq!(broken(&script(&[ok], false, streams)), [""; 0]);
    let run = script(&[goaway], false, streams);
    assert_eq!(broken(&run), ["P1"]);
    assert_eq!(run.trace.observed().goaways.iter().map(|goaway| goaway.last_stream).collect::<Vec<_>>(), [1]);
}

#[test]
fn what_nobody_ends_is_left_open() {
    let policy = HttpPolicy { quiet_after: secs(2), ..HttpPolicy::default() };
    // The server reads and says nothing. The client waits for ever, or closes its connection.
    let judge = |closes_at: Option<Duration>| {
        let scenario = Scenario::new("silence")
            .host("server", |cx: HostContext| async move {
                let (_stream, _) = cx.listener(80).accept().await?;
                std::future::pending::<std::io::Result<()>>().await
            })
            .host("client", move |cx: HostContext| async move {
                use tokio::io::AsyncWriteExt;
                let mut stream = cx.connector().connect("server", 80).await?;
                stream.write_all(GET).await?;
                match closes_at {
                    Some(closes_at) => tokio::time::sleep(closes_at).await,
                    None => std::future::pending().await,
                }
                drop(stream);
                std::future::pending::<std::io::Result<()>>().await
            })
            .check(policy.nothing_is_left_open())
            .run_for(secs(5))
            .settle_for(secs(1));
        run(&scenario, &scenario.case(Seed(1)), Detail::Lean)
    };
    assert_eq!(broken(&judge(None)), ["P3"]);
    let closed = judge(Some(secs(1)));
    assert_eq!((broken(&closed), &closed.outcome.judged), (vec![""; 0], &vec![1]));
}

#[test]
fn bodies_keys_and_ids_are_judged_as_servers_answer_them() {
    let created: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\nx-request-id: 1\r\n\r\n{}";
    let cut: &[(u64, &[u8])] = &[(100, b"PUT /a HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf")];
    assert_eq!(broken(&script(&[created], false, cut)), ["C3"]);
    let refused: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(broken(&script(&[refused], false, cut)), [""; 0]);

    let other: &[(u64, &[u8])] = &[(100, b"GET / HTTP/1.1\r\nx-request-id: 2\r\n\r\n")];
    assert_eq!(broken(&script(&[created], false, other)), ["P5"]);
    let same: &[(u64, &[u8])] = &[(100, b"GET / HTTP/1.1\r\nx-request-id: 1\r\n\r\n")];
    assert_eq!(broken(&script(&[created], false, same)), [""; 0]);

    const ONE: &[u8] = b"POST /a HTTP/1.1\r\nidempotency-key: k\r\ncontent-length: 1\r\n\r\n1";
    const TWO: &[u8] = b"POST /a HTTP/1.1\r\nidempotency-key: k\r\ncontent-length: 1\r\n\r\n2";
    let another: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n[]";
    assert_eq!(broken(&script(&[created, created], false, &[(100, ONE), (500, ONE)])), [""; 0]);
    assert_eq!(broken(&script(&[created, another], false, &[(100, ONE), (500, ONE)])), ["I3"]);
    assert_eq!(broken(&script(&[created, created], false, &[(100, ONE), (500, TWO)])), ["I3"]);
}
