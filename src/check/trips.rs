//! What may open a circuit breaker: failures of what it guards, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::breakers::breakers;
use super::life::Pauses;
use super::{Check, CountedVerdict};
use crate::fault::duration_text as text;
use crate::trace::exchange::{Ending, Exchange};
use crate::trace::{HostId, Trace};

/// B4: a breaker opens only after `failures` failures in a row of what it guards. Answers of 4xx are no failures, nor are
/// requests that its host gave up because all who had asked for them had left; what other services answer does not count.
///
/// Breakers are known by [`Mark::BreakerChanged`](crate::trace::Mark), one for each host; what they guard, by the paths that
/// begin with `path`. A request fails if its response is a 5xx or does not come whole, and also if it does not wait for
/// its connection. Names must resolve: a connect that was never sent is not seen. Who had asked is known by trace or
/// idempotency key, as in [`http::possible_causes`](super::http::possible_causes).
pub fn breakers_open_after(failures: usize, path: &str) -> Check {
    let path = path.to_owned();
    Check::over_exchanges("B4 only failures open breakers", move |trace, _| {
        let mut judged = 0;
        let pauses = Pauses::of(trace);
        for (host, states) in breakers(trace) {
            let results = results(trace, host, &path);
            let mut is_open = false;
            for (at, open) in states {
                let opens = open && !is_open;
                is_open = open;
                // What a process saw late because it was paused, it saw in an order that the wire does not tell.
                if !opens || pauses.overlap(host, at.saturating_sub(LOOKS_BACK), at) {
                    continue;
                }
                judged += 1;
                let count = results.failures_in_a_row(at, trace.step);
                if count < failures {
                    let (who, opened_at) = (trace.name(host), text(at));
                    let why = format!(
                        "B4: the breaker of {who} opened at {opened_at} after {count} failures in a row at most; it takes {failures}"
                    );
                    return CountedVerdict::broken(judged, why).at(at);
                }
            }
        }
        // A run in which no breaker opened says nothing.
        CountedVerdict::kept_if_any(judged)
    })
}

/// How long before a breaker opened a pause still matters.
const LOOKS_BACK: Duration = Duration::from_secs(10);

/// What a host's requests to some servers came to.
#[derive(Default)]
struct Results {
    /// When requests succeeded.
    successes: Vec<Duration>,
    /// Since when and until when a failure may have been noticed: a request that ended, or a connect that took longer than
    /// the request that it was made for.
    failures: Vec<(Duration, Duration)>,
}

impl Results {
    /// How many failures there may have been in a row when the breaker opened. What ended in the steps around that time may
    /// have been seen in any order.
    fn failures_in_a_row(&self, opened_at: Duration, step: Duration) -> usize {
        let last_success = self.successes.iter().copied().filter(|at| *at + 2 * step < opened_at).max();
        let since = last_success.map_or(Duration::ZERO, |at| at.saturating_sub(step));
        self.failures.iter().filter(|(from, to)| *from <= opened_at + step && since <= *to).count()
    }
}

/// What a host's requests to the servers of these paths, and its connects to them, came to.
fn results(trace: &Trace, host: HostId, path: &str) -> Results {
    let exchanges = trace.exchanges();
    let mut results = Results::default();
    let mut servers = BTreeSet::new();
    let mut first_sent = BTreeMap::new();
    for (exchange, causes) in exchanges.iter().zip(trace.possible_causes()) {
        if exchange.client() != host || !exchange.path.starts_with(path) {
            continue;
        }
        servers.insert((exchange.server(), exchange.connection.port));
        first_sent.entry(exchange.connection).or_insert(exchange.request.first_sent);
        let Some(ended_at) = exchange.ended_at else { continue };
        if exchange.is_complete() && exchange.status.is_some_and(|status| status < 500) {
            results.successes.push(ended_at);
        } else if !is_cancelled(trace, exchange, causes) {
            results.failures.push((ended_at, ended_at));
        }
    }
    for connection in trace.connections().iter().filter(|connection| connection.client() == host) {
        let (key, asked_at) = (connection.connection, connection.asked_at);
        let opened_at = connection.opened_at.unwrap_or(Duration::MAX);
        // Who asked for it did not wait for it if nothing was sent as soon as it was there.
        let is_awaited = first_sent.get(&key).is_some_and(|sent| *sent <= opened_at.saturating_add(trace.step));
        if servers.contains(&(key.to, key.port)) && !is_awaited {
            results.failures.push((asked_at, opened_at));
        }
    }
    results
}

/// Whether an exchange was given up after its host had learnt that all who had asked for it had left.
fn is_cancelled(trace: &Trace, exchange: &Exchange, causes: &[usize]) -> bool {
    let has_left = |cause: &usize| {
        let outer = &trace.exchanges()[*cause];
        // A stream of HTTP/2 is cancelled on its own; with HTTP/1 the end of the connection tells. News takes its time: what
        // is given up before it arrives is given up for another reason.
        let seen = || trace.connection(outer.connection).and_then(|connection| connection.end_seen_by_server_at);
        let known_at = outer.cancelled_at.or_else(seen);
        outer.ending == Ending::Abandoned && known_at.is_some_and(|at| Some(at) <= exchange.ended_at)
    };
    exchange.ending == Ending::Abandoned && !causes.is_empty() && causes.iter().all(has_left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::History;
    use crate::trace::exchange::{Observed, TcpConnection, observe_bytes};
    use crate::trace::{Event, Mark};

    /// A request of host 1 to host 2 that ended then; a status of 0 stands for one that was given up.
    fn asked(from: u16, ended_at: u64, status: u16) -> Exchange {
        let response = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
        let request: &[u8] = b"GET /price/a HTTP/1.1\r\nx-request-id: t\r\n\r\n";
        let mut exchange = observe_bytes([(true, request), (false, response.as_bytes())]).remove(0);
        (exchange.connection.from, exchange.connection.to) = (HostId(from), HostId(from + 1));
        exchange.request.first_sent = millis(ended_at - 50);
        exchange.request.first_arrived = Some(millis(ended_at - 49));
        exchange.ended_at = Some(millis(ended_at));
        if status == 0 {
            exchange.ending = Ending::Abandoned;
        }
        exchange
    }

    /// The verdict about a breaker of host 1 that opens after 10 s, and the number of judged openings.
    fn judge(exchanges: Vec<Exchange>, connections: Vec<TcpConnection>) -> (String, u64) {
        let observed = Observed { is_observed: true, exchanges, connections, ..Observed::default() };
        let hosts = ["client", "api", "pricing"].map(str::to_owned).to_vec();
        let mut trace = Trace::new(hosts, millis(10), secs(30), false);
        for (at, open) in [(10_000, true), (12_000, false)] {
            trace.push(millis(at), Some(HostId(1)), Event::Mark(Mark::BreakerChanged { open }));
        }
        let check = breakers_open_after(3, "/price/");
        let verdict = check.judge_counting(&trace.with_observed(observed, secs(60)), &History::default());
        (verdict.verdict().to_string(), verdict.judged())
    }

    /// Requests of host 1 that ended at these times.
    fn of_api(ends: &[(u64, u16)]) -> Vec<Exchange> {
        ends.iter().map(|(at, status)| asked(1, *at, *status)).collect()
    }

    fn is_kept(exchanges: Vec<Exchange>) -> bool {
        let (verdict, judged) = judge(exchanges, Vec::new());
        assert_eq!(judged, 1);
        assert!(
            verdict == "pass" || verdict.contains("opened at 10s after 2 failures in a row at most; it takes 3"),
            "{verdict}"
        );
        verdict == "pass"
    }

    #[test]
    fn b4_counts_the_failures_before_a_breaker_opened() {
        assert!(is_kept(of_api(&[(9_000, 500), (9_500, 503), (10_000, 500)])));
        // Timeouts are failures, too.
        assert!(is_kept(of_api(&[(9_000, 0), (9_500, 0), (10_000, 0)])));
        assert!(!is_kept(of_api(&[(9_500, 503), (10_000, 500)])));
        for answered in [200, 404] {
            assert!(!is_kept(of_api(&[(9_000, 500), (9_100, answered), (9_500, 503), (10_000, 500)])));
        }
        // Another endpoint.
        let mut other = asked(1, 9_000, 500);
        other.path = "/orders".to_owned();
        assert!(!is_kept([vec![other], of_api(&[(9_500, 503), (10_000, 500)])].concat()));
    }

    #[test]
    fn b4_leaves_out_what_nobody_waits_for() {
        let mut caller = asked(0, 9_000, 0);
        caller.request.first_sent = millis(8_900);
        caller.request.first_arrived = Some(millis(8_901));
        let failures = of_api(&[(9_020, 0), (9_500, 503), (10_000, 500)]);
        assert!(is_kept(failures.clone()));
        let exchanges = [vec![caller.clone()], failures].concat();
        let left = |seen_at: u64| TcpConnection {
            end_seen_by_server_at: Some(millis(seen_at)),
            ..TcpConnection::asked(caller.connection, millis(8_890))
        };
        assert!(judge(exchanges.clone(), vec![left(9_010)]).0.starts_with("fail"));
        // The caller had left, but its news came later than the timeout.
        assert_eq!(judge(exchanges.clone(), vec![left(9_030)]).0, "pass");
        assert_eq!(judge(exchanges, Vec::new()).0, "pass");
    }

    #[test]
    fn b4_counts_connects_that_did_not_open_in_time() {
        let requests = of_api(&[(9_500, 503), (10_000, 500)]);
        let connect = |asked_at: u64, opened_at: Option<u64>| TcpConnection {
            opened_at: opened_at.map(millis),
            ..TcpConnection::asked(crate::trace::FlowKey { ordinal: 7, ..requests[0].connection }, millis(asked_at))
        };
        for opened_at in [None, Some(10_500)] {
            assert_eq!(judge(requests.clone(), vec![connect(9_000, opened_at)]).0, "pass");
        }
        assert!(judge(requests.clone(), vec![connect(11_000, None)]).0.starts_with("fail"));
    }

    #[test]
    fn b4_judges_nothing_without_an_opening() {
        let observed = Observed { is_observed: true, exchanges: of_api(&[(9_000, 500)]), ..Observed::default() };
        let trace = Trace::new(vec!["client".into(), "api".into(), "pricing".into()], millis(10), secs(30), false);
        let check = breakers_open_after(3, "/price/");
        let verdict = check.judge_counting(&trace.with_observed(observed, secs(60)), &History::default());
        assert_eq!(verdict.judged(), 0);
    }
}
