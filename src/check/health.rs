//! Promises about health checks: the dead get no requests, the healthy get theirs again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::life::is_death;
use super::{Check, Verdict};
use crate::fault::duration_text as text;
use crate::trace::{Event, HostId, Mark, Trace};

/// How a balancer watches its backends.
#[derive(Clone, Debug)]
pub struct HealthPolicy {
    /// Names of the backends.
    pub backends: Vec<String>,
    /// The time between two probes of a backend.
    pub interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
    /// After so many failed probes a backend gets no requests.
    pub fall: u32,
    /// After so many successful probes it gets requests again.
    pub rise: u32,
    /// What may be added to these times: a probe's way, and the step.
    pub slack: Duration,
}

impl HealthPolicy {
    fn ids(&self, trace: &Trace) -> Vec<HostId> {
        self.backends.iter().filter_map(|name| trace.host(name)).collect()
    }

    /// H1: a backend that is dead, or hangs, from t on gets no ordinary request after t + fall x (interval + timeout), unless fewer than
    /// half of the backends are believed healthy: then all are used.
    pub fn the_dead_get_no_requests(self) -> Check {
        Check::new("H1 the dead get no requests", move |trace, _| {
            let backends = self.ids(trace);
            let limit = (self.interval + self.timeout) * self.fall + self.slack + trace.step;
            let mut dead_since: BTreeMap<HostId, Duration> = BTreeMap::new();
            let mut stalled_since: BTreeMap<HostId, Duration> = BTreeMap::new();
            let mut healthy: BTreeMap<HostId, bool> = backends.iter().map(|id| (*id, true)).collect();
            let mut balancer_since = Duration::ZERO;
            let mut balancer = None;
            for record in &trace.records {
                let Some(host) = record.host else { continue };
                match &record.event {
                    Event::Started if Some(host) == balancer => {
                        // A balancer that starts afresh believes the best of everybody.
                        balancer_since = record.at;
                        healthy.values_mut().for_each(|healthy| *healthy = true);
                    }
                    Event::Started => {
                        dead_since.remove(&host);
                    }
                    event if is_death(event) => {
                        dead_since.entry(host).or_insert(record.at);
                    }
                    Event::OutputStalled => drop(stalled_since.insert(host, record.at)),
                    Event::OutputResumed => drop(stalled_since.remove(&host)),
                    Event::Mark(Mark::HealthChanged { to, healthy: now }) => {
                        healthy.insert(*to, *now);
                    }
                    Event::Mark(Mark::Dispatched { to }) => {
                        balancer = balancer.or(Some(host));
                        let (dead, mute) = (dead_since.get(to), stalled_since.get(to));
                        let Some(since) = dead.into_iter().chain(mute).min() else { continue };
                        let since = (*since).max(balancer_since);
                        let believed = healthy.values().filter(|healthy| **healthy).count();
                        if record.at > since + limit && believed * 2 >= backends.len() {
                            let (at, since) = (text(record.at), text(since));
                            let (who, limit) = (trace.name(*to), text(limit));
                            let how = if dead.is_some() { "dead" } else { "hanging" };
                            return Verdict::Fail(format!(
                                "H1: {who}, {how} since {since}, is sent a request at {at}; {limit} were allowed"
                            ));
                        }
                    }
                    _ => {}
                }
            }
            Verdict::Pass
        })
    }

    /// H2: a backend that is alive, and reachable, from t on gets requests again by t + rise x (interval + timeout), as
    /// soon as there are requests. Judged once the faults are over.
    ///
    /// A backend must be among the next four rounds of requests: a round is as many requests as there are backends.
    pub fn the_healthy_get_requests_again(self) -> Check {
        Check::new("H2 the healthy get requests again", move |trace, _| {
            let limit = (self.interval + self.timeout) * (self.rise + 1) + self.slack + trace.step;
            let rounds = 4 * self.backends.len();
            let mut judged = false;
            for backend in self.ids(trace) {
                let mut own = trace.records.iter().filter(|record| record.host == Some(backend));
                let life = own.rfind(|record| record.event == Event::Started || is_death(&record.event));
                let Some(started) = life.filter(|record| record.event == Event::Started) else { continue };
                let from = started.at.max(trace.run_for) + limit;
                let requests = trace.marks().filter_map(|(at, _, mark)| match mark {
                    Mark::Dispatched { to } if at > from => Some(*to),
                    _ => None,
                });
                let requests: Vec<HostId> = requests.take(rounds).collect();
                judged |= requests.len() == rounds;
                if requests.len() == rounds && !requests.contains(&backend) {
                    let (who, from) = (trace.name(backend), text(from));
                    let alive = text(started.at);
                    return Verdict::Fail(format!(
                        "H2: {who}, alive since {alive}, is passed over in all {rounds} requests from {from} on"
                    ));
                }
            }
            if judged { Verdict::Pass } else { Verdict::Unknown("there were too few requests to judge by".to_owned()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::History;

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

    fn to(backend: u16) -> Event {
        Event::Mark(Mark::Dispatched { to: HostId(backend) })
    }

    #[test]
    fn h1_gives_the_balancer_its_time() {
        let judge = |at: u64, rest: &[(u64, u16, Event)]| {
            let mut events = vec![(0, 0, Event::Started), (1_000, 0, Event::Killed)];
            events.extend_from_slice(rest);
            events.push((at, 2, to(0)));
            policy().the_dead_get_no_requests().judge(&trace(&events), &History::default()).word()
        };
        assert_eq!(judge(5_500, &[]), "pass");
        assert_eq!(judge(5_700, &[]), "fail");
        assert_eq!(judge(5_700, &[(5_000, 0, Event::Started)]), "pass");
        let nobody = |backend| (2_000, 2, Event::Mark(Mark::HealthChanged { to: HostId(backend), healthy: false }));
        assert_eq!(judge(5_700, &[nobody(0), nobody(1)]), "pass");
    }

    #[test]
    fn h1_counts_a_server_that_hangs_among_the_dead() {
        let judge = |events: &[(u64, u16, Event)], at: u64| {
            let events =
                [&[(0, 0, Event::Started), (1_000, 0, Event::OutputStalled)], events, &[(at, 2, to(0))]].concat();
            policy().the_dead_get_no_requests().judge(&trace(&events), &History::default())
        };
        assert_eq!(judge(&[], 5_500), Verdict::Pass);
        let why = "H1: a, hanging since 1s, is sent a request at 5.7s; 4.61s were allowed";
        assert_eq!(judge(&[], 5_700), Verdict::Fail(why.to_owned()));
        assert_eq!(judge(&[(5_600, 0, Event::OutputResumed)], 5_700), Verdict::Pass);
        // A new life hangs as the old one did.
        let restarted = [(2_000, 0, Event::Killed), (3_000, 0, Event::Started)];
        assert!(judge(&restarted, 5_700).is_fail());
    }

    #[test]
    fn h2_wants_every_living_backend_used() {
        let judge = |second: u16| {
            let mut events = vec![(0, 0, Event::Started), (0, 1, Event::Started)];
            events.extend((0..10).flat_map(|n| [(40_000 + n, 2, to(0)), (40_000 + n, 2, to(second))]));
            policy().the_healthy_get_requests_again().judge(&trace(&events), &History::default()).word()
        };
        assert_eq!(judge(1), "pass");
        assert_eq!(judge(0), "fail");
    }
}
