//! Checks of load balancing: dead backends get no requests, and recovered ones get them again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::chance::tail;
use super::life::{died_between, is_death};
use super::{Check, CountedVerdict};
use crate::fault::duration_text as text;
use crate::trace::exchange::Exchange;
use crate::trace::{Event, HostId, Mark, Trace};

const TOO_FEW_REQUESTS: &str =
    "there were too few requests after the faults to judge; let the clients send requests for longer";

/// How a load balancer checks the health of its backends.
///
/// ```
/// use squall::check::HealthPolicy;
/// use squall::prelude::*;
///
/// let policy = HealthPolicy {
///     backends: vec!["api-1".to_owned(), "api-2".to_owned(), "api-3".to_owned()],
///     interval: millis(500),
///     timeout: millis(200),
///     fall: 2,
///     rise: 2,
///     slack: millis(100),
/// };
/// let scenario = Scenario::new("health")
///     .check(policy.clone().no_requests_to_dead_backends())
///     .check(policy.requests_to_recovered_backends());
/// ```
#[derive(Clone, Debug)]
pub struct HealthPolicy {
    /// The host names of the backends.
    pub backends: Vec<String>,
    /// The time between two probes of a backend.
    pub interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
    /// After this many failed probes, a backend gets no requests.
    pub fall: u32,
    /// After this many successful probes, it gets requests again.
    pub rise: u32,
    /// Extra time that is allowed on top, such as a probe's time on the network. The checks add the step themselves.
    pub slack: Duration,
}

impl HealthPolicy {
    fn ids(&self, trace: &Trace) -> Vec<HostId> {
        self.backends.iter().filter_map(|name| trace.host(name)).collect()
    }

    /// H1: a backend that has been dead, paused or hanging since t gets no ordinary request after
    /// t + fall x (interval + timeout) + slack.
    ///
    /// Requests are not judged while fewer than half of the backends are believed healthy, as the balancer then uses
    /// all of them.
    pub fn no_requests_to_dead_backends(self) -> Check {
        Check::new("H1 no requests to dead backends", move |trace, _| {
            let mut judged = 0;
            let backends = self.ids(trace);
            let limit = (self.interval + self.timeout) * self.fall + self.slack + trace.step;
            let mut dead_since: BTreeMap<HostId, Duration> = BTreeMap::new();
            let mut paused_since: BTreeMap<HostId, Duration> = BTreeMap::new();
            // Unlike a pause, it outlives the process.
            let mut stalled_since: BTreeMap<HostId, Duration> = BTreeMap::new();
            let mut healthy: BTreeMap<HostId, bool> = backends.iter().map(|id| (*id, true)).collect();
            let mut balancer_since = Duration::ZERO;
            let mut balancer = None;
            for record in &trace.records {
                let Some(host) = record.host else { continue };
                match &record.event {
                    Event::Started if Some(host) == balancer => {
                        // A restarted balancer assumes that every backend is healthy.
                        balancer_since = record.at;
                        healthy.values_mut().for_each(|healthy| *healthy = true);
                    }
                    Event::Started => {
                        dead_since.remove(&host);
                        paused_since.remove(&host);
                    }
                    event if is_death(event) => {
                        dead_since.entry(host).or_insert(record.at);
                    }
                    Event::Paused => drop(paused_since.insert(host, record.at)),
                    Event::Resumed => drop(paused_since.remove(&host)),
                    Event::OutputStalled => drop(stalled_since.insert(host, record.at)),
                    Event::OutputResumed => drop(stalled_since.remove(&host)),
                    Event::Mark(Mark::HealthChanged { to, healthy: now }) => {
                        healthy.insert(*to, *now);
                    }
                    Event::Mark(Mark::Dispatched { to }) => {
                        balancer = balancer.or(Some(host));
                        judged += 1;
                        let states = [(&dead_since, "dead"), (&paused_since, "paused"), (&stalled_since, "hanging")];
                        let since = states.iter().filter_map(|(since, _)| since.get(to)).min();
                        let Some(since) = since else { continue };
                        let since = (*since).max(balancer_since);
                        let believed = healthy.values().filter(|healthy| **healthy).count();
                        if record.at > since + limit && believed * 2 >= backends.len() {
                            let (at, since) = (text(record.at), text(since));
                            let (who, limit) = (trace.name(*to), text(limit));
                            let how =
                                states.iter().find(|(since, _)| since.contains_key(to)).map_or("", |(_, how)| how);
                            return CountedVerdict::broken(
                                judged,
                                format!(
                                    "H1: {who}, {how} since {since}, was sent a request at {at}; the limit is {limit}"
                                ),
                            )
                            .at(record.at);
                        }
                    }
                    _ => {}
                }
            }
            CountedVerdict::kept(judged, "no request was dispatched: emit `Mark::Dispatched` for each request")
        })
    }

    /// H3: at most this share of the backends is ejected for its answers at once, but always one may be: when all fail, it is not
    /// they who are to blame, and the few that are left must not get the load of all.
    ///
    /// Ejections are known by [`Mark::Ejected`]. A balancer that is started again knows of none.
    pub fn few_are_ejected(self, most: f64) -> Check {
        Check::new("H3 few are ejected at once", move |trace, _| {
            let backends = self.ids(trace);
            let most = ((backends.len() as f64 * most) as usize).max(1);
            let mut until: BTreeMap<(HostId, HostId), Duration> = BTreeMap::new();
            let mut judged = 0;
            for record in &trace.records {
                let Some(balancer) = record.host else { continue };
                match &record.event {
                    Event::Started => until.retain(|(by, _), _| *by != balancer),
                    Event::Mark(Mark::Ejected { to, lasting }) if backends.contains(to) => {
                        judged += 1;
                        until.insert((balancer, *to), record.at + *lasting);
                        let is_out =
                            |((by, _), until): &(&(HostId, HostId), &Duration)| *by == balancer && **until > record.at;
                        let out: Vec<&str> = until.iter().filter(is_out).map(|((_, to), _)| trace.name(*to)).collect();
                        if out.len() > most {
                            let (who, at, all) = (trace.name(balancer), text(record.at), out.join(", "));
                            let why = format!("H3: {who} has ejected {all} at {at}; at most {most} may be at once");
                            return CountedVerdict::broken(judged, why).at(record.at);
                        }
                    }
                    _ => {}
                }
            }
            CountedVerdict::kept(judged, "no backend was ejected: emit `Mark::Ejected`, and let backends fail")
        })
    }

    /// H4: the balancer never says that there is no backend while one lives: when it answers 503, it has connected to one or
    /// asked one meanwhile. Answers with `Retry-After` are left out, as they refuse work.
    ///
    /// The balancer is whoever asks a backend. A backend lives if its process has not ended.
    pub fn some_backend_is_tried(self) -> Check {
        Check::over_exchanges("H4 some backend is tried", move |trace, _| {
            let backends = self.ids(trace);
            let balancers: BTreeSet<HostId> = trace
                .exchanges()
                .iter()
                .filter(|exchange| backends.contains(&exchange.server()))
                .map(Exchange::client)
                .collect();
            let tries = |balancer: HostId, from: Duration, to: Duration| {
                let is_within = |at: Duration| (from..=to).contains(&at);
                let asked = trace.exchanges().iter().any(|inner| {
                    inner.client() == balancer
                        && backends.contains(&inner.server())
                        && is_within(inner.request.first_sent)
                });
                asked
                    || trace.connections().iter().any(|connection| {
                        let is_theirs = connection.client() == balancer && backends.contains(&connection.server());
                        is_theirs && is_within(connection.asked_at)
                    })
            };
            let mut judged = 0;
            for exchange in trace.exchanges().iter().filter(|exchange| balancers.contains(&exchange.server())) {
                let (Some(status), Some(response)) = (exchange.status, &exchange.response) else { continue };
                let Some(received) = exchange.request.first_arrived else { continue };
                judged += 1;
                let answered = response.first_sent;
                if status != 503
                    || response.header("retry-after").is_some()
                    || tries(exchange.server(), received, answered)
                {
                    continue;
                }
                let alive = backends.iter().find(|backend| is_alive_over(trace, **backend, received, answered));
                if let Some(alive) = alive {
                    let (who, alive, at) = (trace.name(exchange.server()), trace.name(*alive), text(answered));
                    return CountedVerdict::broken(
                        judged,
                        format!(
                            "H4: {who} answered 503 at {at} without having tried a backend, although {alive} lives"
                        ),
                    )
                    .at(answered);
                }
            }
            CountedVerdict::kept(judged, "no request reached a host that asks the backends")
        })
    }

    /// H6: a backend that fails at once gets at most one and a half times its fair share: it has no requests in flight, but
    /// that does not make it a good choice.
    ///
    /// Windows of 4 s are summed up in which a backend answered at least three requests, and at least half of its requests, with
    /// 5xx, while all others answered some without. It fails if chance explains the difference in fewer than one of 10^9
    /// runs.
    pub fn failing_backends_are_not_preferred(self) -> Check {
        const WINDOW: Duration = Duration::from_secs(4);
        const RARE: f64 = 1e-9;
        Check::over_exchanges("H6 failing backends are not preferred", move |trace, _| {
            let backends = self.ids(trace);
            // By the host that asked, and the window.
            let mut windows: BTreeMap<(HostId, u128), BTreeMap<HostId, Answers>> = BTreeMap::new();
            for exchange in trace.exchanges().iter().filter(|exchange| backends.contains(&exchange.server())) {
                let window = (exchange.client(), exchange.request.first_sent.as_nanos() / WINDOW.as_nanos());
                let counts = windows.entry(window).or_default().entry(exchange.server()).or_default();
                counts.requests += 1;
                match exchange.status.filter(|_| exchange.is_complete()) {
                    Some(500..) => counts.failed += 1,
                    Some(_) => counts.well += 1,
                    None => {}
                }
            }
            let most = 1.5 / backends.len() as f64;
            // The requests of all windows in which a backend failed: its own, and those of all backends.
            let mut judged = 0;
            let mut failing: BTreeMap<HostId, (usize, usize)> = BTreeMap::new();
            let mut last_window = BTreeMap::new();
            for ((_, window), counts) in windows.iter().filter(|(_, counts)| counts.len() == backends.len()) {
                let all: usize = counts.values().map(|answers| answers.requests).sum();
                for (backend, Answers { requests, failed, .. }) in counts {
                    let is_failing = *failed >= 3 && failed * 2 >= *requests;
                    let others_work = counts.iter().all(|(other, answers)| other == backend || answers.well > 0);
                    if is_failing && others_work {
                        judged += 1;
                        let sums = failing.entry(*backend).or_default();
                        *sums = (sums.0 + requests, sums.1 + all);
                        let until = WINDOW * (*window as u32 + 1);
                        last_window.entry(*backend).and_modify(|last| *last = until.max(*last)).or_insert(until);
                    }
                }
            }
            for (backend, (requests, all)) in failing {
                if most < 1.0 && tail(all, requests, most) < RARE {
                    let who = trace.name(backend);
                    let why = format!("H6: {who} got {requests} of {all} requests while it failed most of them");
                    let until = last_window.get(&backend).map_or(trace.ended_at, |until| trace.ended_at.min(*until));
                    return CountedVerdict::broken(judged, why).at(until);
                }
            }
            // A run in which no backend failed while the others worked says nothing.
            CountedVerdict::kept_if_any(judged)
        })
    }

    /// H2: a backend that has been alive since t gets requests again after t + (rise + 1) x (interval + timeout) +
    /// slack. If t lies before the end of the faults, that end takes the place of t, so that the backend is reachable.
    ///
    /// The backend must get one of the next four rounds of requests, where a round is as many requests as there are
    /// backends. The verdict is unknown if no backend is followed by that many requests.
    pub fn requests_to_recovered_backends(self) -> Check {
        Check::new("H2 requests to recovered backends", move |trace, _| {
            let limit = (self.interval + self.timeout) * (self.rise + 1) + self.slack + trace.step;
            let rounds = 4 * self.backends.len();
            let mut judged = 0;
            for backend in self.ids(trace) {
                let mut own = trace.records.iter().filter(|record| record.host == Some(backend));
                let life = own.rfind(|record| record.event == Event::Started || is_death(&record.event));
                let Some(started) = life.filter(|record| record.event == Event::Started) else { continue };
                let from = started.at.max(trace.run_for) + limit;
                let requests = trace.marks().filter_map(|(at, _, mark)| match mark {
                    Mark::Dispatched { to } if at > from => Some(*to),
                    _ => None,
                });
                let due = from;
                let requests: Vec<HostId> = requests.take(rounds).collect();
                judged += u64::from(requests.len() == rounds);
                if requests.len() == rounds && !requests.contains(&backend) {
                    let (who, from) = (trace.name(backend), text(from));
                    let alive = text(started.at);
                    return CountedVerdict::broken(
                        judged,
                        format!("H2: {who}, alive since {alive}, gets none of the {rounds} requests from {from} on"),
                    )
                    .at(due);
                }
            }
            CountedVerdict::kept(judged, TOO_FEW_REQUESTS)
        })
    }
}

/// How a backend answered in a window.
#[derive(Clone, Copy, Default)]
struct Answers {
    /// The requests that it got.
    requests: usize,
    /// Those that it answered with 5xx.
    failed: usize,
    /// Those that it answered otherwise.
    well: usize,
}

/// Whether a process runs on a host throughout this time.
fn is_alive_over(trace: &Trace, host: HostId, from: Duration, to: Duration) -> bool {
    let mut before = trace.records.iter().filter(|record| record.host == Some(host) && record.at <= from);
    let last = before.rfind(|record| record.event == Event::Started || is_death(&record.event));
    last.is_some_and(|record| record.event == Event::Started) && !died_between(trace, host, from, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::fault::{millis, secs};
    use crate::history::History;
    use crate::trace::exchange::{Observed, observe_bytes};

    fn policy() -> HealthPolicy {
        HealthPolicy {
            backends: vec!["a".into(), "b".into()],
            interval: secs(1),
            timeout: millis(500),
            fall: 3,
            rise: 2,
            slack: millis(100),
        }
    }

    fn trace(events: &[(u64, u16, Event)]) -> Trace {
        let hosts = vec!["a".into(), "b".into(), "gateway".into()];
        let mut trace = Trace::new(hosts, millis(10), secs(30), false);
        for (at, host, event) in events {
            trace.push(millis(*at), Some(HostId(*host)), event.clone());
        }
        trace
    }

    /// An exchange between two hosts, answered with this status 100 ms after it was sent.
    fn exchange(from: u16, to: u16, at: u64, status: u16) -> Exchange {
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
        let pieces = [(true, &b"GET /a HTTP/1.1\r\n\r\n"[..]), (false, answer.as_bytes())];
        let mut exchange = observe_bytes(pieces).remove(0);
        (exchange.connection.from, exchange.connection.to) = (HostId(from), HostId(to));
        exchange.request.first_sent = millis(at);
        exchange.request.first_arrived = Some(millis(at + 10));
        exchange.response.as_mut().unwrap().first_sent = millis(at + 100);
        exchange
    }

    fn to(backend: u16) -> Event {
        Event::Mark(Mark::Dispatched { to: HostId(backend) })
    }

    #[test]
    fn h1_gives_the_balancer_time_to_notice() {
        let judge = |at: u64, rest: &[(u64, u16, Event)]| {
            let mut events = vec![(0, 0, Event::Started), (1_000, 0, Event::Killed)];
            events.extend_from_slice(rest);
            events.push((at, 2, to(0)));
            policy().no_requests_to_dead_backends().judge(&trace(&events), &History::default()).word()
        };
        assert_eq!(judge(5_500, &[]), "pass");
        assert_eq!(judge(5_700, &[]), "fail");
        assert_eq!(judge(5_700, &[(5_000, 0, Event::Started)]), "pass");
        let unhealthy = |backend| (2_000, 2, Event::Mark(Mark::HealthChanged { to: HostId(backend), healthy: false }));
        assert_eq!(judge(5_700, &[unhealthy(0), unhealthy(1)]), "pass");
    }

    #[test]
    fn h3_counts_the_ejections_of_one_life_of_one_balancer() {
        let ejected = |backend, lasting| Event::Mark(Mark::Ejected { to: HostId(backend), lasting });
        let judge = |most: f64, rest: &[(u64, u16, Event)]| {
            let mut events = vec![(0, 2, Event::Started), (1_000, 2, ejected(0, secs(3)))];
            events.extend_from_slice(rest);
            policy().few_are_ejected(most).judge(&trace(&events), &History::default())
        };
        assert_eq!(judge(0.1, &[]), Verdict::Pass, "one always may be");
        let both = judge(0.1, &[(3_999, 2, ejected(1, secs(3)))]);
        assert_eq!(both.why(), Some("H3: gateway has ejected a, b at 3.999s; at most 1 may be at once"));
        assert_eq!(judge(1.0, &[(3_999, 2, ejected(1, secs(3)))]), Verdict::Pass);
        assert_eq!(judge(0.1, &[(4_000, 2, ejected(1, secs(3)))]), Verdict::Pass, "the first is back");
        assert_eq!(judge(0.1, &[(2_000, 2, Event::Started), (2_500, 2, ejected(1, secs(3)))]), Verdict::Pass);
        assert_eq!(judge(0.1, &[(3_999, 0, ejected(1, secs(3)))]), Verdict::Pass, "another balancer's");
    }

    #[test]
    fn h1_treats_a_hanging_backend_as_dead() {
        let judge = |events: &[(u64, u16, Event)], at: u64| {
            let events =
                [&[(0, 0, Event::Started), (1_000, 0, Event::OutputStalled)], events, &[(at, 2, to(0))]].concat();
            policy().no_requests_to_dead_backends().judge(&trace(&events), &History::default())
        };
        assert_eq!(judge(&[], 5_500), Verdict::Pass);
        let why = "H1: a, hanging since 1s, was sent a request at 5.7s; the limit is 4.61s";
        assert_eq!(judge(&[], 5_700).why(), Some(why));
        assert_eq!(judge(&[(5_600, 0, Event::OutputResumed)], 5_700), Verdict::Pass);
        // The output stays stalled across a restart.
        let restarted = [(2_000, 0, Event::Killed), (3_000, 0, Event::Started)];
        assert!(judge(&restarted, 5_700).is_fail());
    }

    #[test]
    fn h1_treats_a_paused_backend_as_dead_until_it_goes_on_or_starts_again() {
        let judge = |events: &[(u64, u16, Event)], at: u64| {
            let events = [&[(0, 0, Event::Started), (1_000, 0, Event::Paused)], events, &[(at, 2, to(0))]].concat();
            policy().no_requests_to_dead_backends().judge(&trace(&events), &History::default())
        };
        let why = "H1: a, paused since 1s, was sent a request at 5.7s; the limit is 4.61s";
        assert_eq!(judge(&[], 5_700).why(), Some(why));
        assert_eq!(judge(&[(5_600, 0, Event::Resumed)], 5_700), Verdict::Pass);
        assert_eq!(judge(&[(2_000, 0, Event::Killed), (5_600, 0, Event::Started)], 5_700), Verdict::Pass);
        assert!(judge(&[(2_000, 0, Event::Killed)], 5_700).is_fail());
    }

    #[test]
    fn h2_requires_every_live_backend_to_be_used() {
        let judge = |second: u16| {
            let mut events = vec![(0, 0, Event::Started), (0, 1, Event::Started)];
            events.extend((0..10).flat_map(|n| [(40_000 + n, 2, to(0)), (40_000 + n, 2, to(second))]));
            policy().requests_to_recovered_backends().judge(&trace(&events), &History::default()).word()
        };
        assert_eq!(judge(1), "pass");
        assert_eq!(judge(0), "fail");
    }

    #[test]
    fn h4_wants_a_backend_to_be_tried_while_one_lives() {
        // A client (3) asks the gateway (2), which has asked `a` (0) before.
        let judge = |inner: Option<Exchange>, events: &[(u64, u16, Event)]| {
            let exchanges = [exchange(2, 0, 100, 200), exchange(3, 2, 1_000, 503)];
            let exchanges = exchanges.into_iter().chain(inner).collect();
            let observed = Observed { is_observed: true, exchanges, ..Observed::default() };
            let trace = trace(events).with_observed(observed, secs(60));
            policy().some_backend_is_tried().judge(&trace, &History::default())
        };
        let alive = [(0, 0, Event::Started), (0, 1, Event::Started)];
        let why = "H4: gateway answered 503 at 1.1s without having tried a backend, although a lives";
        assert_eq!(judge(None, &alive).why(), Some(why));
        assert_eq!(judge(Some(exchange(2, 0, 1_050, 503)), &alive), Verdict::Pass);
        let dead = [&alive[..], &[(900, 0, Event::Killed), (900, 1, Event::Killed)]].concat();
        assert_eq!(judge(None, &dead), Verdict::Pass);
    }

    #[test]
    fn h6_finds_the_backend_that_gets_more_because_it_fails() {
        // Of three backends, the first fails.
        let policy = HealthPolicy { backends: vec!["a".into(), "b".into(), "gateway".into()], ..policy() };
        let judge = |requests: usize, status: u16| {
            let failing = (0..requests).map(|_| exchange(3, 0, 0, status));
            let exchanges = failing.chain([1, 2, 1, 2].map(|to| exchange(3, to, 0, 200))).collect();
            let observed = Observed { is_observed: true, exchanges, ..Observed::default() };
            let trace = trace(&[]).with_observed(observed, secs(60));
            let verdict =
                policy.clone().failing_backends_are_not_preferred().judge_counting(&trace, &History::default());
            (verdict.verdict().to_string(), verdict.judged())
        };
        let why = "fail: H6: a got 60 of 64 requests while it failed most of them";
        assert_eq!(judge(60, 503), (why.to_owned(), 1));
        assert_eq!(judge(6, 503), ("pass".to_owned(), 1));
        assert_eq!(judge(60, 200), ("pass".to_owned(), 0), "it does not fail");
    }
}
