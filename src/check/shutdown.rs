//! Checks of graceful shutdown: how long a server that was asked to stop still accepts, and how long it takes to stop.

use std::time::Duration;

use super::timeouts::tolerance;
use super::{Check, CountedVerdict, life};
use crate::fault::duration_text as text;
use crate::trace::{Event, HostId, Trace};

/// S2: a process that is asked to stop returns within `grace`.
///
/// One that is killed, loses power or is paused within that time is not judged.
pub fn servers_stop_within(grace: Duration) -> Check {
    Check::new("S2 servers stop in time", move |trace, _| {
        let mut judged = 0;
        for (host, asked_at) in stops(trace) {
            let limit = asked_at + grace + tolerance(trace);
            let own = || trace.records.iter().filter(|record| record.host == Some(host) && record.at >= asked_at);
            let end = own().find(|record| life::is_death(&record.event));
            let is_paused = own().any(|record| record.event == Event::Paused && record.at <= limit);
            let in_time = end.filter(|end| end.at <= limit);
            let has_returned = in_time.is_some_and(|end| matches!(end.event, Event::Returned | Event::Failed));
            if !has_returned && (in_time.is_some() || is_paused || trace.ended_at <= limit) {
                continue;
            }
            judged += 1;
            if !has_returned {
                let (who, asked_at, allowed) = (trace.name(host), text(asked_at), text(grace));
                let end = match end {
                    Some(end) => format!("stopped at {}", text(end.at)),
                    None => "never stopped".to_owned(),
                };
                return CountedVerdict::broken(
                    judged,
                    format!("S2: {who} was asked to stop at {asked_at} and {end}; the limit is {allowed}"),
                )
                .at(limit);
            }
        }
        // A run in which no process was asked to stop, or none had the time to, says nothing.
        CountedVerdict::kept_if_any(judged)
    })
}

/// S4: a process that is asked to stop still accepts connections for `drain_delay`, so that balancers notice before
/// anybody is refused.
///
/// One that is killed or loses power within that time is judged up to then. Connections are read off the wire.
pub fn stopping_servers_accept_for(drain_delay: Duration) -> Check {
    Check::over_exchanges("S4 stopping servers still accept", move |trace, _| {
        let mut judged = 0;
        for (host, asked_at) in stops(trace) {
            let mut own = trace.records.iter().filter(|record| record.host == Some(host) && record.at >= asked_at);
            let killed_at = own.find(|record| matches!(record.event, Event::Killed | Event::PoweredOff));
            let until = (asked_at + drain_delay).min(killed_at.map_or(Duration::MAX, |record| record.at));
            for connection in trace.connections().iter().filter(|connection| connection.server() == host) {
                let refused_at = connection.refused_at;
                let answered_at = refused_at.or(connection.opened_at);
                if connection.asked_at < asked_at || answered_at.is_none_or(|at| at >= until) {
                    continue;
                }
                judged += 1;
                if let Some(refused_at) = refused_at {
                    let (who, client) = (trace.name(host), trace.name(connection.client()));
                    let (after, delay) = (text(refused_at - asked_at), text(drain_delay));
                    return CountedVerdict::broken(
                        judged,
                        format!(
                            "S4: {who} refused a connection of {client} {after} after it was asked to stop; it should accept for {delay}"
                        ),
                    )
                    .at(refused_at);
                }
            }
        }
        // A run in which no process was asked to stop, or none had the time to, says nothing.
        CountedVerdict::kept_if_any(judged)
    })
}

/// The processes that were asked to stop, and when.
fn stops(trace: &Trace) -> Vec<(HostId, Duration)> {
    let stops = trace.records.iter().filter(|record| record.event == Event::Stopping);
    stops.filter_map(|record| Some((record.host?, record.at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::History;
    use crate::trace::FlowKey;
    use crate::trace::exchange::{Observed, TcpConnection};

    fn trace(events: &[(u64, Event)], connections: Vec<TcpConnection>) -> Trace {
        let observed = Observed { is_observed: true, connections, ..Observed::default() };
        let mut trace = Trace::new(vec!["api".into(), "client".into()], millis(10), secs(30), false);
        for (at, event) in events {
            trace.push(millis(*at), Some(HostId(0)), event.clone());
        }
        trace.with_observed(observed, secs(60))
    }

    #[test]
    fn s2_limits_the_time_to_stop() {
        let judge = |events: &[(u64, Event)]| {
            let events = [&[(0, Event::Started), (1_000, Event::Stopping)], events].concat();
            let verdict = servers_stop_within(secs(5)).judge_counting(&trace(&events, Vec::new()), &History::default());
            (verdict.verdict().to_string(), verdict.judged())
        };
        let pass = |judged| ("pass".to_owned(), judged);
        assert_eq!(judge(&[(5_900, Event::Returned)]), pass(1));
        assert_eq!(judge(&[(5_900, Event::Killed)]), pass(0), "a kill in time says nothing");
        assert_eq!(judge(&[(5_900, Event::Paused), (9_000, Event::Resumed), (9_010, Event::Returned)]), pass(0));
        let late = "fail: S2: api was asked to stop at 1s and stopped at 6.2s; the limit is 5s";
        assert_eq!(judge(&[(6_200, Event::Returned)]), (late.to_owned(), 1));
        assert!(judge(&[(6_200, Event::Killed)]).0.starts_with("fail"));
        assert!(
            judge(&[(7_000, Event::Paused), (8_000, Event::Resumed), (9_000, Event::Returned)])
                .0
                .contains("stopped at 9s")
        );
        assert!(judge(&[]).0.ends_with("never stopped; the limit is 5s"));
    }

    #[test]
    fn s4_lets_connections_be_refused_only_after_the_delay() {
        let connect = |asked: u64, answered: u64, is_refused: bool| {
            let answered = Some(millis(answered));
            let key = FlowKey { from: HostId(1), to: HostId(0), port: 80, ordinal: 0 };
            TcpConnection {
                opened_at: answered.filter(|_| !is_refused),
                refused_at: answered.filter(|_| is_refused),
                ..TcpConnection::asked(key, millis(asked))
            }
        };
        let judge = |end: Event, connection| {
            let events = [(0, Event::Started), (1_000, Event::Stopping), (2_000, end)];
            let check = stopping_servers_accept_for(secs(5));
            let verdict = check.judge_counting(&trace(&events, vec![connection]), &History::default());
            (verdict.verdict().to_string(), verdict.judged())
        };
        let pass = |judged| ("pass".to_owned(), judged);
        assert_eq!(judge(Event::Returned, connect(1_500, 1_510, false)), pass(1));
        assert_eq!(judge(Event::Returned, connect(500, 510, true)), pass(0), "before it was asked to stop");
        assert_eq!(judge(Event::Returned, connect(6_500, 6_510, true)), pass(0), "after the delay");
        assert_eq!(judge(Event::Killed, connect(2_500, 2_510, true)), pass(0), "the dead refuse");
        let refused = "fail: S4: api refused a connection of client 1.51s after it was asked to stop; \
                       it should accept for 5s";
        assert_eq!(judge(Event::Returned, connect(2_500, 2_510, true)), (refused.to_owned(), 1));
    }
}
