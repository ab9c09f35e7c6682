//! Promises about which host is asked, about effects over several answers, and about what is left by those who went away.

use super::*;
use crate::trace::exchange::TcpConnection;
use crate::trace::{Event, HostId};

/// A trace with these connections as well; all exchanges are on connections of their own.
fn with_connections(exchanges: &[Exchange], connections: Vec<TcpConnection>) -> Trace {
    let hosts = ["client", "api-1", "api-2", "store"].map(str::to_owned).to_vec();
    let observed = Observed { is_observed: true, exchanges: exchanges.to_vec(), connections, ..Observed::default() };
    Trace::new(hosts, millis(1), millis(60_000), false).with_observed(observed, millis(60_000))
}

/// The connection of an exchange, which is open.
fn connection(of: &Exchange) -> TcpConnection {
    TcpConnection { opened_at: Some(millis(0)), ..TcpConnection::asked(of.connection, millis(0)) }
}

fn verdict(check: &Check, trace: &Trace) -> (String, u64) {
    let verdict = check.judge_counting(trace, &History::default());
    (verdict.verdict().to_string(), verdict.judged())
}

#[test]
fn r8_asks_another_host_if_one_is_well() {
    let check = HttpPolicy::default().retries_go_to_another_host();
    let at = |host, from, status| between(exchange(from, from + 10, "GET /a|x-request-id: t", status), 0, host);
    let well = |from| between(exchange(from, from + 10, "GET /health", "200"), 0, 2);
    passes(&check, 1, &[well(0), at(1, 100, "503"), at(2, 200, "200")]);
    let why = "`GET /a 200` of client to api-1 at 200ms repeats `GET /a 503` of client to api-1 at 100ms (complete) at the \
               same host, although api-2 is well";
    fails(&check, why, &[well(0), at(1, 100, "503"), at(1, 200, "200")]);
    // The other one is not known, is not well, was well too long ago, or is of another group.
    let failing = between(exchange(50, 60, "GET /health", "503"), 0, 2);
    let store = between(exchange(0, 10, "GET /health", "200"), 0, 3);
    let old = [well(0), at(1, 6_000, "503"), at(1, 6_100, "200")];
    let others = [
        vec![at(1, 100, "503"), at(1, 200, "200")],
        vec![well(0), failing, at(1, 100, "503"), at(1, 200, "200")],
        vec![store, at(1, 100, "503"), at(1, 200, "200")],
        old.to_vec(),
        vec![well(0), at(1, 100, "503|retry-after: 0"), at(1, 200, "200")],
    ];
    for exchanges in others {
        let (verdict, judged) = judge(&check, &exchanges);
        assert!(verdict.starts_with("unknown: no attempt failed") && judged == 0, "{verdict}");
    }
    let mut dead = trace(&[well(0), at(1, 100, "503"), at(1, 200, "200")]);
    dead.push(millis(50), Some(HostId(2)), Event::Killed);
    assert_eq!(verdict(&check, &dead).1, 0, "who is dead is not well");
}

#[test]
fn i1_finds_two_effects_of_one_call() {
    let check = HttpPolicy::default().one_effect_for_a_call();
    let place = |host, from, key: &str, response| {
        let request = format!("POST /a|x-request-id: t|idempotency-key: {key}\nbody");
        between(exchange(from, from + 10, &request, response), 0, host)
    };
    passes(&check, 1, &[place(1, 0, "k", "201"), place(2, 100, "k", "201")]);
    fails(&check, "with the key k and", &[place(1, 0, "k", "201"), place(2, 100, "other", "200")]);
    let mut other = place(2, 100, "k", "201");
    other.response.as_mut().unwrap().body_digest += 1;
    fails(&check, "are one call, and had two effects", &[place(1, 0, "k", "201"), other]);
    let (verdict, judged) = judge(&check, &[place(1, 0, "k", "503"), place(2, 100, "k", "201")]);
    assert!(verdict.starts_with("unknown: no two requests") && judged == 0, "{verdict}");
}

#[test]
fn i4_finds_the_effect_of_what_was_refused() {
    let check = refused_writes_leave_no_effect("api", "store");
    let order = |status| exchange(0, 100, "POST /orders|x-request-id: 1", status);
    let behind = |from, status| between(exchange(from, from + 10, "POST /orders|x-request-id: 1", status), 1, 3);
    passes(&check, 1, &[order("503"), behind(20, "503")]);
    passes(&check, 1, &[order("422")]);
    passes(&check, 0, &[order("504"), behind(20, "201")]);
    fails(&check, "`POST /orders 503` of client to api-1 at 0s was refused", &[order("503"), behind(20, "201")]);
    fails(&check, "but had an effect: `POST /orders 201` of api-1 to store", &[order("409"), behind(200, "201")]);
    let mut lost = behind(20, "201");
    lost.ending = Ending::Abandoned;
    fails(&check, "was refused, but had an effect", &[order("503"), lost]);
    // Another attempt at the same server: the effect may be its own.
    let again = exchange(10, 120, "POST /orders|x-request-id: 1", "201");
    passes(&check, 1, &[order("503"), again, behind(20, "201")]);
}

#[test]
fn p3_lets_work_end_with_its_caller() {
    let check = HttpPolicy::default().work_ends_with_its_caller();
    let mut outer = exchange(0, 100, "POST /a|x-request-id: t", "-");
    outer.connection.ordinal = 7;
    let inner = |from| between(exchange(from, from + 5, "POST /b|x-request-id: t", "200"), 1, 3);
    let left = TcpConnection { end_seen_by_server_at: Some(millis(110)), ..connection(&outer) };
    let judge = |inner: Exchange| verdict(&check, &with_connections(&[outer.clone(), inner], vec![left.clone()]));
    assert_eq!(judge(inner(150)), ("pass".to_owned(), 1));
    let (why, judged) = judge(inner(200));
    assert!(
        why.contains("`POST /b 200` of api-1 to store at 200ms serves nobody: the last caller had left by 110ms"),
        "{why}"
    );
    assert_eq!(judged, 1);
    // Another caller waits for the same.
    let waiting = exchange(120, 300, "POST /a|x-request-id: t", "200");
    let trace = with_connections(&[outer.clone(), waiting, inner(200)], vec![left.clone()]);
    assert_eq!(verdict(&check, &trace), ("pass".to_owned(), 1));
    // The server does not know, or its process is another one.
    let unknown = with_connections(&[outer.clone(), inner(200)], vec![connection(&outer)]);
    let (why, judged) = verdict(&check, &unknown);
    assert!(why.starts_with("unknown: no client with a trace or a key closed") && judged == 0, "{why}");
    let mut restarted = with_connections(&[outer.clone(), inner(200)], vec![left]);
    restarted.push(millis(150), Some(HostId(1)), Event::Killed);
    assert_eq!(verdict(&check, &restarted).0, "pass");
}

#[test]
fn p3_closes_what_the_other_side_has_closed() {
    let check =
        HttpPolicy { quiet_after: millis(10_000), ..HttpPolicy::default() }.half_closed_connections_are_closed();
    let some = exchange(0, 10, "GET /a", "200");
    let left = TcpConnection { end_seen_by_server_at: Some(millis(1_000)), ..connection(&some) };
    let judge = |connection| verdict(&check, &with_connections(std::slice::from_ref(&some), vec![connection]));
    let closed_at = |at| TcpConnection { closed_by_server_at: Some(millis(at)), ..left.clone() };
    assert_eq!(judge(closed_at(11_000)), ("pass".to_owned(), 1));
    let why = "fail: P3: api-1 has a connection that client closed by 1s, and did not close it within 10s";
    assert_eq!(judge(closed_at(11_001)), (why.to_owned(), 1));
    assert_eq!(judge(left.clone()), (why.to_owned(), 1));
    let kept = TcpConnection { end_seen_by_client_at: Some(millis(1_000)), ..connection(&some) };
    assert!(judge(kept).0.contains("client has a connection that api-1 closed by 1s"));
    let late = TcpConnection { end_seen_by_server_at: Some(millis(50_001)), ..connection(&some) };
    for nothing in [connection(&some), late, TcpConnection { is_reset_for_server: true, ..left }] {
        let (why, judged) = judge(nothing);
        assert!(why.starts_with("unknown: nobody closed a connection") && judged == 0, "{why}");
    }
}

#[test]
fn p6_counts_requests_for_the_same() {
    let check = HttpPolicy { most_polls: 3, ..HttpPolicy::default() }.polls_are_bounded();
    let polls = |every: u64, count: u64| (0..count).map(move |n| exchange(n * every, n * every + 1, "GET /a", "200"));
    passes(&check, 9, &polls(334, 9).collect::<Vec<_>>());
    let why = "`GET /a 200` of client to api-1 at 999ms is request 4 for the same within 1s; the limit is 3";
    fails(&check, why, &polls(333, 9).collect::<Vec<_>>());
    let others = (0..9).map(|n| exchange(n, n + 1, &format!("GET /{n}"), "200"));
    passes(&check, 9, &others.collect::<Vec<_>>());
}

#[test]
fn p4_ends_no_stream_with_another() {
    let check = HttpPolicy::default().cancelled_streams_leave_others_alone();
    let stream = |from, to, response| {
        let mut exchange = exchange(from, to, "GET /a", response);
        exchange.version = crate::trace::exchange::HttpVersion::Http2;
        exchange
    };
    let mut cancelled = stream(0, 100, "-");
    cancelled.cancelled_at = Some(millis(100));
    let ended = |at, ending| Exchange { ending, ..stream(10, at, "200") };
    let judge =
        |other: Exchange, connection| verdict(&check, &with_connections(&[cancelled.clone(), other], vec![connection]));
    let open = connection(&cancelled);
    assert_eq!(judge(stream(10, 120, "200"), open.clone()), ("pass".to_owned(), 1));
    for ending in [Ending::Reset, Ending::Closed] {
        let (why, judged) = judge(ended(120, ending), open.clone());
        assert!(why.contains("was cancelled at 100ms, and that ended `GET /a 200`") && judged == 1, "{why}");
    }
    assert_eq!(judge(ended(300, Ending::Reset), open.clone()).0, "pass", "later, and for another reason");
    assert_eq!(judge(ended(120, Ending::Cut), open.clone()).0, "pass");
    // The client closes a connection that is in use, or that seems dead.
    let closed = TcpConnection { closed_by_client_at: Some(millis(100)), ..open.clone() };
    let mut given_up = ended(100, Ending::Abandoned);
    given_up.response.as_mut().unwrap().first_arrived = Some(millis(90));
    assert!(judge(given_up.clone(), closed.clone()).0.starts_with("fail"));
    given_up.response = None;
    assert_eq!(judge(given_up, closed).0, "pass");
    for nothing in [stream(150, 200, "200"), stream(10, 90, "200")] {
        let (why, judged) = judge(nothing, open.clone());
        assert!(why.starts_with("unknown: no stream of HTTP/2 was cancelled") && judged == 0, "{why}");
    }
    let mut died = with_connections(&[cancelled.clone(), ended(120, Ending::Reset)], vec![open]);
    died.push(millis(110), Some(HostId(1)), Event::Killed);
    assert_eq!(verdict(&check, &died).0, "pass");
}

#[test]
fn r2_counts_hedges_and_not_retries() {
    let check = hedges_within_budget(millis(1_000), 0.5, 1.0);
    // What the client asks of api-1, and what api-1 asks of others for it.
    let asked = |from, name: &str| exchange(from, from + 500, &format!("GET /a|x-request-id: {name}"), "200");
    let behind = |from, until, host, name: &str| {
        between(exchange(from, until, &format!("GET /a|x-request-id: {name}"), "200"), 1, host)
    };
    let hedged = |from, name: &str| {
        [asked(from, name), behind(from + 10, from + 400, 2, name), behind(from + 60, from + 300, 3, name)]
    };
    let of = |groups: &[[Exchange; 3]]| {
        let mut all = groups.concat();
        all.sort_by_key(|exchange| exchange.request.first_sent);
        all
    };
    // Two requests allow two hedges, three allow two.
    passes(&check, 2, &of(&[hedged(0, "a"), hedged(100, "b")]));
    let why = "R2: api-1 asked twice for 3 of 3 requests within 260ms; the budget is 2.5; the last was `GET /a 200` of api-1 \
               to store at 260ms";
    fails(&check, why, &of(&[hedged(0, "a"), hedged(100, "b"), hedged(200, "c")]));
    // One that is asked again after its end is no hedge, nor is one of another window.
    let retried = [asked(0, "a"), behind(10, 50, 2, "a"), behind(60, 300, 3, "a")];
    let (verdict, judged) = judge(&check, &retried);
    assert!(verdict.starts_with("unknown: no host asked twice at once") && judged == 0, "{verdict}");
    passes(&check, 3, &of(&[hedged(0, "a"), hedged(100, "b"), hedged(2_000, "c")]));
}
