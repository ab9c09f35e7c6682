//! Checks of circuit breakers: what has failed is left alone but for probes, and what has healed is used again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Breach, Check, CountedVerdict};
use crate::fault::duration_text as text;
use crate::trace::exchange::{Ending, Exchange};
use crate::trace::{Event, HostId, Mark, Trace};

/// B3: a breaker that opened is closed again within `longest_backoff` after the end of the faults, and one request more. A
/// probe that is under way when the faults end may fail: `longest_backoff` includes the time that it takes.
///
/// Breakers are known by [`Mark::BreakerChanged`], one for each host. A breaker needs a request as its probe: it is judged
/// after the first request whose path begins with `path` that reaches its host after that time and ends, unless what the host
/// asked for another such request is still on its way then: that may be the probe. Who asked for what is known by trace or
/// idempotency key, as in [`http::possible_causes`](super::http::possible_causes).
pub fn breakers_close_within(longest_backoff: Duration, path: &str) -> Check {
    let path = path.to_owned();
    Check::over_exchanges("B3 breakers close again", move |trace, _| {
        let from = trace.run_for + longest_backoff;
        let mut judged = 0;
        for (host, states) in breakers(trace) {
            let exchanges = trace.exchanges();
            let is_guarded = |exchange: &Exchange| exchange.server() == host && exchange.path.starts_with(&path);
            let probes = exchanges
                .iter()
                .filter(|exchange| is_guarded(exchange) && exchange.request.first_arrived.is_some_and(|at| at >= from));
            let asked = exchanges.iter().zip(trace.possible_causes()).filter(|(inner, causes)| {
                inner.client() == host && causes.iter().any(|cause| is_guarded(&exchanges[*cause]))
            });
            let asked: Vec<&Exchange> = asked.map(|(inner, _)| inner).collect();
            let is_undecided = |at: &Duration| {
                let is_on_its_way =
                    |inner: &&Exchange| inner.request.first_sent <= *at && inner.ended_at.is_none_or(|end| end >= *at);
                asked.iter().any(is_on_its_way)
            };
            // A request that was given up says nothing.
            let ends = probes.filter(|probe| probe.is_complete()).filter_map(|probe| probe.ended_at);
            let Some(probed_at) = ends.filter(|at| !is_undecided(at)).min() else { continue };
            judged += 1;
            let before = states.iter().rev().find(|(at, _)| *at <= probed_at);
            if let Some((since, true)) = before {
                let (who, since, from, at) = (trace.name(host), text(*since), text(from), text(probed_at));
                return CountedVerdict::broken(
                    judged,
                    format!(
                        "B3: the breaker of {who}, open since {since}, should close by {from}; it is open after a request that ended at {at}"
                    ),
                )
                .at(probed_at);
            }
        }
        // A run in which no breaker opened says nothing.
        CountedVerdict::kept_if_any(judged)
    })
}

/// B1: while a breaker is open, its host sends no request sooner than `shortest_backoff` after it opened, or after the last
/// request that failed.
///
/// Breakers are known by [`Mark::BreakerChanged`], one for each host; what they guard, by the paths that begin with `path`. A
/// request fails if its response is a 5xx or does not come whole; one that its host has given up says nothing.
pub fn open_breakers_wait(shortest_backoff: Duration, path: &str) -> Check {
    while_open("B1 open breakers wait", path, move |trace, who, opened_at, sent, judged| {
        // Since when the breaker has to wait; `None` after a request of which nothing is known.
        let mut since = Some(opened_at);
        for (began, probe) in sent {
            if let Some(since) = since {
                *judged += 1;
                if *began + trace.step < since + shortest_backoff {
                    let (backoff, since, sent_at) = (text(shortest_backoff), text(since), text(*began));
                    let why = format!(
                        "B1: the breaker of {who} should wait for {backoff} from {since} on, but `{probe}` was sent at {sent_at}"
                    );
                    return Err(Breach::from(why).at(*began));
                }
            }
            let is_unknown = matches!(probe.ending, Ending::Abandoned | Ending::Open);
            since = probe.ended_at.filter(|_| !is_unknown);
        }
        Ok(())
    })
}

/// B2: while a breaker is open, at most `at_once` requests that its host has sent since then are in flight at a time.
///
/// Breakers and requests are recognised as in [`open_breakers_wait`].
pub fn breakers_probe_with_few(at_once: usize, path: &str) -> Check {
    while_open("B2 breakers probe with few requests", path, move |_, who, _, sent, judged| {
        let mut ends: Vec<Duration> = Vec::new();
        for (began, probe) in sent {
            *judged += 1;
            ends.retain(|end| end > began);
            ends.push(probe.ended_at.unwrap_or(Duration::MAX));
            if ends.len() > at_once {
                let (sent_at, count) = (text(*began), ends.len());
                let why = format!(
                    "B2: the breaker of {who} is open, and at {sent_at} {count} requests are in flight, the last `{probe}`; {at_once} may be"
                );
                return Err(Breach::from(why).at(*began));
            }
        }
        Ok(())
    })
}

/// A check of each time in which a breaker was open. `judge` is given the name of its host, when it opened, and what its host
/// sent meanwhile.
fn while_open(
    name: &str,
    path: &str,
    judge: impl Fn(&Trace, &str, Duration, &[(Duration, &Exchange)], &mut u64) -> Result<(), Breach> + Send + Sync + 'static,
) -> Check {
    let path = path.to_owned();
    Check::over_exchanges(name, move |trace, _| {
        let mut judged = 0;
        for (host, opened_at, closed_at) in times_open(trace) {
            let sent = sent_while_open(trace, host, opened_at, closed_at, &path);
            if let Err(why) = judge(trace, trace.name(host), opened_at, &sent, &mut judged) {
                return CountedVerdict::broken(judged, why);
            }
        }
        CountedVerdict::kept_if_any(judged)
    })
}

/// The spans of time in which breakers were open.
fn times_open(trace: &Trace) -> Vec<(HostId, Duration, Duration)> {
    let mut times = Vec::new();
    for (host, states) in breakers(trace) {
        let mut opened_at = None;
        for (at, open) in states {
            match (opened_at, open) {
                (None, true) => opened_at = Some(at),
                (Some(since), false) => {
                    times.push((host, since, at));
                    opened_at = None;
                }
                _ => {}
            }
        }
        times.extend(opened_at.map(|since| (host, since, trace.ended_at)));
    }
    times
}

/// The requests that a host began within this span of time, with the times at which it did, in their order. A request begins
/// when it is sent, or when its connection is asked for, if it is the first on it.
fn sent_while_open<'a>(
    trace: &'a Trace,
    host: HostId,
    from: Duration,
    to: Duration,
    path: &str,
) -> Vec<(Duration, &'a Exchange)> {
    let mut used = BTreeSet::new();
    let mut sent = Vec::new();
    for exchange in trace.exchanges() {
        let is_first = used.insert(exchange.connection);
        if exchange.client() != host || !exchange.path.starts_with(path) {
            continue;
        }
        let first_sent = exchange.request.first_sent;
        let connection = trace.connection(exchange.connection).filter(|_| is_first);
        let began = connection.map_or(first_sent, |connection| first_sent.min(connection.asked_at));
        if from < began && began < to {
            sent.push((began, exchange));
        }
    }
    sent.sort_by_key(|(began, _)| *began);
    sent
}

/// For each host whose breaker ever opened: when it changed, and whether it was open from then on.
pub(super) fn breakers(trace: &Trace) -> BTreeMap<HostId, Vec<(Duration, bool)>> {
    let mut breakers: BTreeMap<HostId, Vec<(Duration, bool)>> = BTreeMap::new();
    for record in &trace.records {
        let Some(host) = record.host else { continue };
        match &record.event {
            Event::Mark(Mark::BreakerChanged { open }) => breakers.entry(host).or_default().push((record.at, *open)),
            // A new process begins with a closed breaker.
            Event::Started => {
                if let Some(states) = breakers.get_mut(&host) {
                    states.push((record.at, false));
                }
            }
            _ => {}
        }
    }
    breakers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::History;
    use crate::trace::exchange::{Observed, observe_bytes};

    /// The verdict on requests from the host of a breaker, each with the times of its begin and end and its status, while the
    /// breaker is open from 10 s to 20 s.
    fn judge_open(check: &Check, requests: &[(u64, u64, u16)]) -> (String, u64) {
        let exchange = |(number, (began, ended, status)): (usize, &(u64, u64, u16))| {
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            let pieces: [(bool, &[u8]); 2] = [(true, b"GET /price/a HTTP/1.1\r\n\r\n"), (false, answer.as_bytes())];
            let mut exchange =
                observe_bytes(if *status == 0 { &pieces[..1] } else { &pieces[..] }.iter().copied()).remove(0);
            exchange.connection.from = HostId(1);
            exchange.connection.ordinal = number as u32;
            exchange.request.first_sent = millis(*began);
            exchange.ended_at = Some(millis(*ended));
            if *status == 0 {
                exchange.ending = Ending::Abandoned;
            }
            exchange
        };
        let exchanges = requests.iter().enumerate().map(exchange).collect();
        let observed = Observed { is_observed: true, exchanges, ..Observed::default() };
        let mut trace = Trace::new(vec!["pricing".into(), "api".into()], millis(10), secs(30), false);
        for (at, open) in [(10, true), (20, false)] {
            trace.push(secs(at), Some(HostId(1)), Event::Mark(Mark::BreakerChanged { open }));
        }
        let verdict = check.judge_counting(&trace.with_observed(observed, secs(60)), &History::default());
        (verdict.verdict().to_string(), verdict.judged())
    }

    #[test]
    fn b1_judges_the_wait_before_each_probe() {
        let check = open_breakers_wait(secs(1), "/price/");
        // What began before the breaker opened, and after it closed, is no probe.
        let others = [(9_990, 10_050, 500), (20_010, 20_050, 200), (20_020, 20_050, 200)];
        assert_eq!(judge_open(&check, &others), ("pass".to_owned(), 0));
        assert_eq!(judge_open(&check, &[(11_000, 11_100, 500), (12_100, 12_200, 200)]), ("pass".to_owned(), 2));
        // Nothing is known of what was given up.
        assert_eq!(judge_open(&check, &[(11_000, 11_100, 0), (11_100, 11_200, 200)]), ("pass".to_owned(), 1));
        for (requests, from) in
            [(vec![(10_900, 11_000, 500)], "10s"), (vec![(11_000, 11_100, 500), (11_900, 12_000, 200)], "11.1s")]
        {
            let (verdict, _) = judge_open(&check, &requests);
            assert!(verdict.contains(&format!("should wait for 1s from {from} on, but")), "{verdict}");
        }
    }

    #[test]
    fn b2_judges_probes_at_a_time() {
        let check = breakers_probe_with_few(1, "/price/");
        let before = (9_990, 12_000, 500);
        assert_eq!(judge_open(&check, &[before, (11_000, 11_100, 500), (11_100, 11_200, 200)]), ("pass".to_owned(), 2));
        let (verdict, _) = judge_open(&check, &[(11_000, 11_200, 500), (11_100, 11_300, 500)]);
        assert!(verdict.contains("at 11.1s 2 requests are in flight"), "{verdict}");
        assert_eq!(
            judge_open(&breakers_probe_with_few(2, "/price/"), &[(11_000, 11_200, 500), (11_100, 11_300, 500)]).1,
            2
        );
    }

    #[test]
    fn b3_judges_after_a_request_that_may_have_been_the_probe() {
        let judge = |changes: &[(u64, bool)], asked_at: u64| {
            let pieces: [(bool, &[u8]); 2] =
                [(true, b"GET /prices/a HTTP/1.1\r\n\r\n"), (false, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")];
            let mut asked = observe_bytes(pieces).remove(0);
            asked.request.first_arrived = Some(millis(asked_at));
            asked.ended_at = Some(millis(asked_at + 100));
            let observed = Observed { is_observed: true, exchanges: vec![asked], ..Observed::default() };
            // The request goes from host 0 to host 1, and the faults end after 30 s.
            let mut trace = Trace::new(vec!["client".into(), "api".into()], millis(10), secs(30), false);
            for (at, open) in changes {
                trace.push(millis(*at), Some(HostId(1)), Event::Mark(Mark::BreakerChanged { open: *open }));
            }
            let trace = trace.with_observed(observed, secs(60));
            let verdict = breakers_close_within(secs(5), "/prices/").judge_counting(&trace, &History::default());
            (verdict.verdict().word(), verdict.judged())
        };
        assert_eq!(judge(&[(20_000, true), (36_050, false)], 36_000), ("pass", 1));
        assert_eq!(judge(&[(20_000, true)], 36_000), ("fail", 1));
        assert_eq!(judge(&[(20_000, true), (36_200, false)], 36_000), ("fail", 1));
        assert_eq!(judge(&[(20_000, true)], 34_000), ("pass", 0), "its backoff may still run");
        assert_eq!(judge(&[], 36_000), ("pass", 0), "no breaker opened");
    }

    #[test]
    fn b3_waits_for_a_probe_that_is_on_its_way() {
        let exchange = |from: u16, began: u64, ended: u64| {
            let id = format!("GET /prices/a HTTP/1.1\r\nx-request-id: {began}\r\n\r\n");
            let answer: &[u8] = b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n";
            let mut exchange = observe_bytes([(true, id.as_bytes()), (false, answer)]).remove(0);
            (exchange.connection.from, exchange.connection.to) = (HostId(from), HostId(from + 1));
            exchange.request.first_sent = millis(began);
            exchange.request.first_arrived = Some(millis(began));
            exchange.ended_at = Some(millis(ended));
            exchange
        };
        let judge = |later: u64| {
            // The first request has its probe sent, and the second is answered at once in the meantime.
            let (outer, mut inner) = (exchange(0, 34_900, 35_400), exchange(1, 34_900, 35_300));
            inner.path = "/cost/a".to_owned();
            let exchanges = vec![outer, inner, exchange(0, 35_100, 35_120), exchange(0, later, later + 20)];
            let observed = Observed { is_observed: true, exchanges, ..Observed::default() };
            let hosts = ["client", "api", "cost"].map(str::to_owned).to_vec();
            let mut trace = Trace::new(hosts, millis(10), secs(30), false);
            for (at, open) in [(20_000, true), (35_310, false)] {
                trace.push(millis(at), Some(HostId(1)), Event::Mark(Mark::BreakerChanged { open }));
            }
            let trace = trace.with_observed(observed, secs(60));
            let verdict = breakers_close_within(secs(5), "/prices/").judge_counting(&trace, &History::default());
            (verdict.verdict().word(), verdict.judged())
        };
        assert_eq!(judge(36_000), ("pass", 1));
        assert_eq!(judge(35_200), ("pass", 0), "the probe decides later");
    }
}
