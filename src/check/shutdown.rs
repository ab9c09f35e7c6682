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
            let mut own = trace.records.iter().filter(|record| record.host == Some(host) && record.at >= asked_at);
            let end = own.find(|record| life::is_death(&record.event) || record.event == Event::Paused);
            let is_late = match end {
                Some(end) if matches!(end.event, Event::Returned | Event::Failed) => end.at > limit,
                Some(end) if end.at <= limit => continue,
                None if trace.ended_at <= limit => continue,
                _ => true,
            };
            judged += 1;
            if is_late {
                let (who, asked_at, grace) = (trace.name(host), text(asked_at), text(grace));
                let end = match end {
                    Some(end) => format!("stopped at {}", text(end.at)),
                    None => "never stopped".to_owned(),
                };
                return CountedVerdict::broken(
                    judged,
                    format!("S2: {who} was asked to stop at {asked_at} and {end}; the limit is {grace}"),
                );
            }
        }
        CountedVerdict::kept(judged, "no process was asked to stop and had the time to: add `fault::stop`")
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
                    );
                }
            }
        }
        CountedVerdict::kept(judged, "no process was asked to stop and then for a connection: add `fault::stop`")
    })
}

/// The processes that were asked to stop, and when.
fn stops(trace: &Trace) -> Vec<(HostId, Duration)> {
    let stops = trace.records.iter().filter(|record| record.event == Event::Stopping);
    stops.filter_map(|record| Some((record.host?, record.at))).collect()
}
