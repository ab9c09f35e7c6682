//! Each promise, kept and broken, by exchanges that are written out.

mod hosts_and_departures;

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
    passes(&check, 1, &[keyed("one", "201"), keyed("one", "201")]);
    fails(&check, "got other responses", &[keyed("one", "201"), keyed("one", "200")]);
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
    fails(&check, "and had not ended when the run did", std::slice::from_ref(&open));
    let mut dead = trace(&[open]);
    dead.push(millis(200), Some(crate::trace::HostId(0)), crate::trace::Event::Killed);
    assert_eq!(check.judge_counting(&dead, &History::default()).judged(), 0, "the dead keep no time");
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
    (cut.request.last_sent, cut.request.last_arrived) = (None, None);
    passes(&check, 2, &[cut.clone(), exchange(0, 10, "PUT /a\nbody", "200")]);
    cut.status = Some(201);
    fails(&check, "was accepted, although its body was cut off after 4 B", &[cut.clone()]);
    cut.request.last_sent = Some(millis(0));
    fails(&check, "was accepted, although not all of its 4 B arrived", &[cut]);
}

#[test]
fn d2_acknowledges_what_was_acknowledged_behind() {
    let check = writes_are_acknowledged_behind("api", "store", &["POST /login"]);
    let asked = |from_ms, to_ms, request: &str, status| {
        let mut exchange = exchange(from_ms, to_ms, request, status);
        if let Some(response) = &mut exchange.response {
            response.first_sent = millis(to_ms);
        }
        exchange
    };
    let order = |status| asked(0, 100, "POST /orders|x-request-id: 1", status);
    let behind = |to_ms, status| between(asked(20, to_ms, "POST /orders|x-request-id: 1", status), 1, 3);
    passes(&check, 1, &[order("201"), behind(90, "201")]);
    // A refusal, another request that leaves nothing behind, and one that nobody can follow.
    let others = ["POST /login|x-request-id: 2", "POST /orders", "GET /orders|x-request-id: 3"];
    let others = others.map(|request| asked(0, 100, request, "200"));
    passes(&check, 0, &[&[order("503"), behind(90, "503")][..], &others[..]].concat());
    let why = "was acknowledged, but store had not acknowledged it to that host";
    fails(&check, why, &[order("201"), behind(90, "503")]);
    fails(&check, why, &[order("201")]);
    fails(&check, why, &[order("201"), behind(110, "201")]);
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

#[test]
fn t4_counts_the_body_as_well() {
    let check = HttpPolicy::default().bodies_end_in_time();
    let late = |from, to| {
        let mut exchange = exchange(from, to, "GET /a|x-deadline-ms: 100", "200");
        exchange.response.as_mut().unwrap().first_arrived = Some(millis(from + 20));
        exchange
    };
    passes(&check, 1, &[late(0, 150)]);
    fails(&check, "states a timeout of 100ms, and ended after 200ms", &[late(0, 200)]);
    let mut without_a_head = late(0, 200);
    without_a_head.response = None;
    let (verdict, judged) = judge(&check, &[without_a_head]);
    assert!(verdict.starts_with("unknown") && judged == 0, "{verdict}");
}

/// Failures with the retries that follow them after these waits, in milliseconds, each of its own call.
fn waits(waits: impl IntoIterator<Item = u64>) -> Vec<Exchange> {
    let pair = |(call, wait): (u64, u64)| {
        let (began, request) = (call * 100, format!("GET /a|x-request-id: {call}"));
        [exchange(began, began + 10, &request, "503"), exchange(began + 10 + wait, began + 20 + wait, &request, "200")]
    };
    let mut exchanges: Vec<Exchange> = (0..).zip(waits).flat_map(pair).collect();
    exchanges.sort_by_key(|exchange| exchange.request.first_sent);
    exchanges
}

#[test]
fn r4_finds_retries_that_come_together() {
    let check = HttpPolicy::default().retries_are_spread();
    // From 0 to 95 ms, and from 50 to 97 ms.
    passes(&check, 20, &waits((0..20).map(|n| n * 5)));
    passes(&check, 48, &waits(50..98));
    let together = "of the 20 retries of client to api after 1 failure, 20 waited between 50ms and 5";
    fails(&check, together, &waits([50; 20]));
    fails(&check, "20 waited between 0s and 1ms", &waits([0; 20]));
    // Too few to say, just enough, and with outliers.
    assert!(judge(&check, &waits([50; 12])).0.starts_with("unknown: too few requests"));
    fails(&check, "13 waited between 50ms", &waits([50; 13]));
    fails(&check, "20 waited between 50ms", &waits([50; 20].into_iter().chain([3_000, 4_000])));
    let asked: Vec<Exchange> = waits([50; 20])
        .into_iter()
        .map(|mut exchange| {
            exchange.response.as_mut().unwrap().headers.push(("retry-after".to_owned(), "1".to_owned()));
            exchange
        })
        .collect();
    assert!(judge(&check, &asked).0.starts_with("unknown"));
}

#[test]
fn h5_knows_servers_that_were_asked_to_stop() {
    use crate::trace::{Event, HostId};
    let check = HttpPolicy::default().liveness_depends_on_nobody();
    let probe = |status| [exchange(1_000, 1_010, "GET /health", status)];
    passes(&check, 1, &probe("200"));
    passes(&check, 1, &probe("404"));
    fails(&check, "`GET /health 503` of client to api-1 at 1s was answered with an error", &probe("503"));
    assert!(judge(&check, &[exchange(1_000, 1_010, "GET /ready", "503")]).0.starts_with("unknown"));
    let judge = |event| {
        let mut trace = trace(&probe("503"));
        trace.push(millis(0), Some(HostId(1)), Event::Started);
        trace.push(millis(0), Some(HostId(1)), event);
        check.judge(&trace, &History::default()).word()
    };
    assert_eq!([judge(Event::Stopping), judge(Event::Started)], ["pass", "fail"]);
}

#[test]
fn p2_counts_the_time_between_exchanges_and_after_them() {
    let check = HttpPolicy { idle_limit: millis(10_000), ..HttpPolicy::default() }.idle_connections_are_closed();
    let at = |from| exchange(from, from + 10, "GET /a", "200");
    // The run ends at 60 s, and the connection with it.
    passes(&check, 3, &[at(40_000), at(45_000), at(55_000)]);
    fails(&check, "idle since 40.01s for 14.99s; the limit is 10s", &[at(40_000), at(55_000)]);
    fails(&check, "client kept a connection to api-1 that was idle since 45.01s", &[at(40_000), at(45_000)]);
    let mut open = at(40_000);
    open.ended_at = None;
    assert!(judge(&check, &[open, at(41_000)]).0.starts_with("unknown"), "it is busy");
}

#[test]
fn p3_finds_what_is_still_open() {
    let check = HttpPolicy { quiet_after: millis(10_000), ..HttpPolicy::default() }.nothing_is_left_open();
    let open = |from, path: &str| {
        let mut open = exchange(from, from, &format!("GET {path}"), "-");
        (open.ending, open.ended_at) = (Ending::Open, None);
        open
    };
    passes(&check, 1, &[exchange(1_000, 2_000, "GET /a", "200"), open(55_000, "/a")]);
    fails(&check, "`GET /a` of client to api-1 at 1s is still open when the run ends at 60s", &[open(1_000, "/a")]);
    let patient = HttpPolicy { endless: vec!["/events".to_owned()], ..HttpPolicy::default() }.nothing_is_left_open();
    passes(&patient, 1, &[open(1_000, "/events"), exchange(0, 5, "GET /a", "200")]);
}

#[test]
fn a_key_in_two_traces_is_two_calls_if_traces_name_calls() {
    let check = HttpPolicy::default().attempts_are_limited();
    let keyed = |at, trace: &str, status| {
        exchange(at, at + 5, &format!("POST /a|idempotency-key: k|x-request-id: {trace}"), status)
    };
    let twice = [keyed(0, "t", "503"), keyed(10, "t", "503"), keyed(20, "u", "503"), keyed(30, "u", "503")];
    passes(&check, 4, &twice);
    // Here they may name attempts.
    let once = [keyed(0, "t", "503"), keyed(10, "u", "503"), keyed(20, "v", "503"), keyed(30, "w", "503")];
    fails(&check, "attempt 4 of 4 with the same idempotency key", &once);
    let answered = [keyed(0, "t", "200"), keyed(10, "u", "422"), keyed(20, "v", "422"), keyed(30, "w", "422")];
    passes(&check, 4, &answered);
}

#[test]
fn statuses_of_grpc_count_like_those_of_http() {
    let grpc = |at, grpc_status| {
        let mut exchange = exchange(at, at + 5, "POST /a|idempotency-key: k\nbody", "200");
        (exchange.is_grpc, exchange.grpc_status) = (true, Some(grpc_status));
        exchange
    };
    let policy = HttpPolicy::default();
    // INVALID_ARGUMENT is final, UNAVAILABLE is not.
    fails(&policy.client_errors_are_final(), "`POST /a grpc-status 3`", &[grpc(0, 3), grpc(100, 0)]);
    assert!(judge(&policy.client_errors_are_final(), &[grpc(0, 14), grpc(100, 0)]).0.starts_with("unknown"));
    // What was not accepted need not be answered alike.
    let mut other = grpc(100, 0);
    other.response.as_mut().unwrap().body_digest += 1;
    assert!(
        judge(&policy.one_key_means_one_body_and_one_answer(), &[grpc(0, 14), other.clone()]).0.starts_with("unknown")
    );
    fails(&policy.one_key_means_one_body_and_one_answer(), "got other responses", &[grpc(0, 0), other]);
    let mut asked = grpc(0, 14);
    asked.response.as_mut().unwrap().headers.push(("grpc-retry-pushback-ms".to_owned(), "300".to_owned()));
    fails(&policy.retry_after_is_kept(), "api-1 had asked for 300ms", &[asked.clone(), grpc(100, 0)]);
    passes(&policy.retry_after_is_kept(), 1, &[asked, grpc(400, 0)]);
}
