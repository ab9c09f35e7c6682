//! Each promise, kept and broken, by exchanges that are written out.

use super::*;
use crate::check::Check;
use crate::fault::millis;
use crate::history::History;
use crate::trace::Trace;
use crate::trace::exchange::{Ending, Exchange, Observed, observe_bytes};

/// An exchange of `client` (host 0) with `api-1` (host 1): begun and ended at these times, in milliseconds.
fn exchange(from_ms: u64, to_ms: u64, request: &str, response: &str) -> Exchange {
    let (head, body) = request.split_once('\n').unwrap_or((request, ""));
    let (first, headers) = head.split_once('|').unwrap_or((head, ""));
    let headers: String = headers.split('|').map(|header| format!("{header}\r\n")).collect();
    let headers = headers.trim_start();
    let request = format!("{first} HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
    let (status, rest) = response.split_once('|').unwrap_or((response, ""));
    let header = if rest.is_empty() { String::new() } else { format!("{rest}\r\n") };
    let response = format!("HTTP/1.1 {status} x\r\n{header}content-length: 0\r\n\r\n");
    let pieces = [(true, request.as_bytes()), (false, response.as_bytes())];
    let pieces = if status == "-" { &pieces[..1] } else { &pieces[..] };
    let mut exchange = observe_bytes(pieces.iter().copied()).remove(0);
    exchange.request.first_sent = millis(from_ms);
    exchange.request.first_arrived = Some(millis(from_ms + 1));
    exchange.request.last_arrived = Some(millis(from_ms + 1));
    exchange.ended_at = Some(millis(to_ms));
    if status == "-" {
        exchange.ending = Ending::Abandoned;
    }
    exchange
}

fn between(mut exchange: Exchange, from: u16, to: u16) -> Exchange {
    exchange.connection.from = crate::trace::HostId(from);
    exchange.connection.to = crate::trace::HostId(to);
    exchange
}

/// A run of a minute with these exchanges.
fn trace(exchanges: &[Exchange]) -> Trace {
    let hosts = ["client", "api-1", "api-2", "store"].map(str::to_owned).to_vec();
    let observed = Observed { is_observed: true, exchanges: exchanges.to_vec(), ..Observed::default() };
    Trace::new(hosts, millis(1), millis(60_000), false).with_observed(observed, millis(60_000))
}

/// The verdict and the number of judged things for these exchanges.
fn judge(check: &Check, exchanges: &[Exchange]) -> (String, u64) {
    let verdict = check.judge_counting(&trace(exchanges), &History::default());
    (verdict.verdict().to_string(), verdict.judged())
}

fn passes(check: &Check, judged: u64, exchanges: &[Exchange]) {
    assert_eq!(judge(check, exchanges), ("pass".to_owned(), judged), "{}", check.name());
}

fn fails(check: &Check, with: &str, exchanges: &[Exchange]) {
    let (verdict, judged) = judge(check, exchanges);
    assert!(verdict.starts_with("fail: ") && verdict.contains(with), "{}: {verdict}", check.name());
    assert!(judged > 0);
}

/// So many attempts of one call, each a second after the one before.
fn attempts(count: u64, request: &str, response: &str) -> Vec<Exchange> {
    (0..count).map(|n| exchange(n * 1_000, n * 1_000 + 500, request, response)).collect()
}

#[test]
fn r1_counts_the_attempts_of_a_call() {
    let check = HttpPolicy::default().attempts_are_limited();
    passes(&check, 3, &attempts(3, "POST /a|idempotency-key: k", "503"));
    fails(&check, "attempt 4 of 4 with the same idempotency key", &attempts(4, "POST /a|idempotency-key: k", "503"));
    fails(&check, "the same method, path and body", &attempts(4, "GET /a", "503"));
    passes(&check, 4, &attempts(4, "GET /a", "200"));
}

#[test]
fn r2_holds_retries_to_a_share_of_the_calls() {
    let check = HttpPolicy { budget_minimum: 1.0, ..HttpPolicy::default() }.retries_stay_within_their_budget();
    passes(&check, 1, &attempts(2, "GET /a", "503"));
    fails(&check, "client made 2 retries in the 10s before 2s; 1 calls allow 1.2", &attempts(3, "GET /a", "503"));
}

#[test]
fn r3_counts_the_requests_of_a_trace_at_a_hop() {
    let check = HttpPolicy::default().attempts_at_a_hop_are_limited();
    let hop = |n: u64| between(exchange(n * 10, n * 10 + 5, "GET /s|x-request-id: t", "503"), 1 + (n % 2) as u16, 3);
    passes(&check, 3, &(0..3).map(hop).collect::<Vec<_>>());
    fails(&check, "request 4 of trace t to store", &(0..4).map(hop).collect::<Vec<_>>());
    let (verdict, judged) = judge(&check, &attempts(4, "GET /a", "503"));
    assert!(verdict.starts_with("unknown: no request carries a trace") && judged == 0, "{verdict}");
}

#[test]
fn r5_waits_as_long_as_the_server_asked() {
    let check = HttpPolicy::default().retry_after_is_kept();
    let asked = exchange(0, 10, "GET /a", "503|retry-after: 2");
    passes(&check, 1, &[asked.clone(), exchange(2_010, 2_020, "GET /a", "200")]);
    fails(&check, "api-1 had asked for 2s (Retry-After)", &[asked, exchange(1_900, 2_000, "GET /a", "200")]);
    let (verdict, judged) = judge(&check, &attempts(2, "GET /a", "503"));
    assert!(verdict.starts_with("unknown: no response with `Retry-After`") && judged == 0, "{verdict}");
}

#[test]
fn r6_sends_again_only_what_is_safe() {
    let check = HttpPolicy::default().only_safe_requests_are_sent_again();
    passes(&check, 2, &attempts(3, "PUT /a\nbody", "503"));
    passes(&check, 1, &attempts(2, "POST /a|idempotency-key: k\nbody", "-"));
    fails(&check, "`POST /a` of client to api-1 at 1s repeats `POST /a`", &attempts(2, "POST /a\nbody", "-"));
    let mut unsent = attempts(2, "POST /a\nbody", "-");
    unsent[0].request.first_arrived = None;
    passes(&check, 1, &unsent);
    let mut refused = attempts(2, "POST /a\nbody", "-");
    refused[0].ending = Ending::Refused;
    passes(&check, 1, &refused);
}

#[test]
fn r7_takes_client_errors_for_final() {
    let check = HttpPolicy::default().client_errors_are_final();
    let keyed = "POST /a|idempotency-key: k\nbody";
    fails(&check, "`POST /a 422` of client to api-1 at 0s (the same idempotency key)", &attempts(2, keyed, "422"));
    passes(&check, 1, &attempts(1, keyed, "422"));
    for status in ["408", "409", "425", "429"] {
        let (verdict, judged) = judge(&check, &attempts(2, keyed, status));
        assert!(verdict.starts_with("unknown") && judged == 0, "{status}: {verdict}");
    }
    fails(&check, "the same trace", &attempts(2, "GET /a|x-request-id: t", "404"));
}

#[test]
fn i3_gives_one_answer_for_one_key() {
    let check = HttpPolicy::default().one_key_means_one_body_and_one_answer();
    let keyed = |body: &str, response: &str| exchange(0, 5, &format!("POST /a|idempotency-key: k\n{body}"), response);
    passes(&check, 1, &[keyed("one", "201"), keyed("one", "200")]);
    fails(&check, "have the same key k and other bodies", &[keyed("one", "201"), keyed("two", "201")]);
    let mut other = keyed("one", "201");
    other.response.as_mut().unwrap().body_digest += 1;
    fails(&check, "have the same key k and body, and got other responses", &[keyed("one", "201"), other]);
    let (verdict, judged) = judge(&check, &[keyed("one", "201"), keyed("two", "422")]);
    assert!(verdict.starts_with("unknown") && judged == 0, "refused, as it should be: {verdict}");
}

#[test]
fn i5_uses_one_key_for_a_call() {
    let check = HttpPolicy::default().one_key_for_a_call();
    let keyed = |key: &str, trace: &str| {
        exchange(0, 5, &format!("POST /a|idempotency-key: {key}|traceparent: 00-{trace}-01-01\nbody"), "503")
    };
    passes(&check, 1, &[keyed("k", "t"), keyed("k", "t"), keyed("other", "u")]);
    fails(&check, "has the key k, and", &[keyed("k", "t"), keyed("other", "t")]);
}

#[test]
fn t2_ends_an_exchange_within_its_stated_timeout() {
    let check = HttpPolicy::default().stated_timeouts_are_kept();
    let timed = |header: &str, ended_ms: u64| exchange(0, ended_ms, &format!("GET /a|{header}"), "200");
    for header in ["x-deadline-ms: 300", "grpc-timeout: 300m", "grpc-timeout: 300000u"] {
        passes(&check, 1, &[timed(header, 350)]);
        fails(&check, "states a timeout of 300ms, and ended after 352ms", &[timed(header, 352)]);
    }
    let mut open = timed("x-deadline-ms: 300", 0);
    open.ended_at = None;
    fails(&check, "and had not ended when the run did", &[open]);
    // It began too late in the run to be judged.
    let late = exchange(59_900, 60_000, "GET /a|x-deadline-ms: 300", "200");
    assert_eq!(judge(&check, &[late]).1, 0);
}

#[test]
fn t3_states_no_more_time_than_there_is() {
    let check = HttpPolicy::default().timeouts_do_not_grow_over_hops();
    let outer = exchange(0, 500, "GET /a|x-request-id: t|x-deadline-ms: 400", "200");
    let inner = |at_ms: u64, ms: u64| {
        between(exchange(at_ms, 400, &format!("GET /s|x-request-id: t|x-deadline-ms: {ms}"), "200"), 1, 3)
    };
    passes(&check, 1, &[outer.clone(), inner(101, 400)]);
    fails(&check, "states 451ms, although `GET /a 200` of client to api-1 at 0s", &[outer.clone(), inner(101, 451)]);
    fails(&check, "was sent 51ms after the time of", &[outer, inner(452, 100)]);
}

#[test]
fn what_a_server_asks_for_each_attempt_of_another_are_calls_of_its_own() {
    let ask = |at: u64| exchange(at, at + 90, "POST /a|x-request-id: t", "-");
    let passed_on = |at: u64| between(exchange(at, at + 50, "POST /s|x-request-id: t", "201"), 1, 3);
    let exchanges = [ask(0), passed_on(10), ask(100), passed_on(110)];
    assert_eq!(possible_causes(&exchanges), [vec![], vec![0], vec![], vec![0, 2]]);
    let attempts = |exchanges: &[Exchange]| -> Vec<Vec<usize>> {
        HttpPolicy::default().calls(&trace(exchanges)).into_iter().map(|call| call.attempts).collect()
    };
    assert_eq!(attempts(&exchanges), [vec![0, 2], vec![1], vec![3]]);
    // One more than it was asked for.
    let exchanges = [&exchanges[..], &[passed_on(160)]].concat();
    assert_eq!(attempts(&exchanges), [vec![0, 2], vec![1], vec![3, 4]]);
}

#[test]
fn probes_are_no_calls_and_some_posts_are_safe() {
    let check = HttpPolicy::default().attempts_are_limited();
    assert_eq!(judge(&check, &attempts(9, "GET /health?verbose", "503")).1, 0);
    let policy = HttpPolicy { also_safe: vec!["POST /login".to_owned()], ..HttpPolicy::default() };
    passes(&policy.only_safe_requests_are_sent_again(), 1, &attempts(2, "POST /login\nme", "-"));
    fails(&policy.only_safe_requests_are_sent_again(), "R6", &attempts(2, "POST /logins\nme", "-"));
}

#[test]
fn p1_leaves_closing_connections_alone() {
    let check = HttpPolicy::default().closing_connections_are_not_used();
    let mut used = exchange(1_000, 1_010, "GET /a", "200");
    passes(&check, 1, std::slice::from_ref(&used));
    used.closing_since = Some(millis(960));
    passes(&check, 1, std::slice::from_ref(&used));
    used.closing_since = Some(millis(900));
    fails(&check, "knew was closing since 900ms", &[used]);
}

#[test]
fn c3_accepts_no_truncated_request() {
    let check = HttpPolicy::default().truncated_requests_are_not_accepted();
    let mut cut = exchange(0, 10, "PUT /a\nbody", "400");
    cut.request.last_sent = None;
    passes(&check, 2, &[cut.clone(), exchange(0, 10, "PUT /a\nbody", "200")]);
    cut.status = Some(201);
    fails(&check, "was accepted, although its body was cut off after 4 B", &[cut]);
}

#[test]
fn p5_gives_each_request_its_own_response() {
    let check = HttpPolicy::default().responses_belong_to_their_requests();
    passes(&check, 1, &[exchange(0, 10, "GET /a|x-request-id: 1", "200|x-request-id: 1")]);
    let other = exchange(0, 10, "GET /a|x-request-id: 1", "200|x-request-id: 2");
    fails(&check, "has the id 1, and its response has 2", &[other]);
}

#[test]
fn without_exchanges_nothing_is_judged_and_the_reason_is_given() {
    for check in HttpPolicy::default().checks() {
        assert!(check.is_optional() && check.reads_exchanges());
        let (verdict, judged) = judge(&check, &[]);
        assert_eq!((verdict.as_str(), judged), ("unknown: no connection carried a byte", 0), "{}", check.name());
    }
}

#[test]
fn a_run_of_which_something_is_missing_is_unknown_although_the_check_is_optional() {
    let observed = Observed { is_observed: true, is_incomplete: true, ..Observed::default() };
    let trace = Trace::new(Vec::new(), millis(1), millis(60_000), false).with_observed(observed, millis(60_000));
    for check in HttpPolicy::default().checks() {
        let verdict = check.judge_counting(&trace, &History::default());
        assert_eq!((verdict.verdict().word(), verdict.judged()), ("unknown", 1), "{}", check.name());
    }
}
