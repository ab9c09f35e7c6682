//! Promises that are judged off the wire, each broken by a small system that makes one mistake.

use super::*;

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
