//! The time that requests state for themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use super::observed::{check, stated_timeout, words};
use super::policy::HttpPolicy;
use crate::check::Check;
use crate::fault::duration_text as text;
use crate::trace::exchange::{Exchange, possible_causes};
use crate::trace::{Event, HostId, Trace};

const NO_TIMEOUT: &str = "no request states a timeout, for example in `grpc-timeout` or `x-deadline-ms`";

pub(super) fn kept(policy: HttpPolicy) -> Check {
    check("T2 stated timeouts are kept", NO_TIMEOUT, move |trace, judged| {
        let pauses = Pauses::of(trace);
        for exchange in trace.exchanges() {
            let Some(timeout) = stated_timeout(exchange) else { continue };
            let limit = exchange.request.first_sent + timeout + policy.slack + trace.step;
            let began = exchange.request.first_sent;
            // A process that does nothing keeps no time.
            if limit > trace.ended_at || pauses.overlap(exchange.client(), began, limit) {
                continue;
            }
            *judged += 1;
            if exchange.ended_at.is_none_or(|ended_at| ended_at > limit) {
                let (what, timeout) = (words(trace, exchange), text(timeout));
                let end = exchange.ended_at.map_or("had not ended when the run did".to_owned(), |at| {
                    format!("ended after {}", text(at - exchange.request.first_sent))
                });
                return Err(format!("T2: {what} states a timeout of {timeout}, and {end}"));
            }
        }
        Ok(())
    })
}

pub(super) fn grow(policy: HttpPolicy) -> Check {
    let needs = "no server asked another within a trace in which both requests state a timeout";
    check("T3 timeouts do not grow over hops", needs, move |trace, judged| {
        let exchanges = trace.exchanges();
        let pauses = Pauses::of(trace);
        for (inner, causes) in exchanges.iter().zip(possible_causes(exchanges)) {
            let Some(asked) = stated_timeout(inner) else { continue };
            let outers = causes.iter().map(|outer| &exchanges[*outer]);
            let outers: Vec<_> = outers.filter_map(|outer| Some((outer, stated_timeout(outer)?))).collect();
            let host = inner.client();
            let is_paused = outers
                .iter()
                .any(|(outer, _)| pauses.overlap(host, outer.request.first_sent, inner.request.first_sent));
            if is_paused {
                continue;
            }
            let late = |outer: &Exchange, whole: Duration| {
                // A server knows what a request states once its head is whole, which is not noted; its body comes later.
                let arrived = outer.request.last_arrived.or(outer.request.first_arrived);
                let received = arrived.unwrap_or(outer.request.first_sent);
                inner.request.first_sent.saturating_sub(received + whole)
            };
            *judged += u64::from(!outers.is_empty());
            // The wire does not tell which of several attempts the server was serving.
            let is_kept = |(outer, whole): &(&Exchange, Duration)| {
                asked <= *whole + policy.slack && late(outer, *whole) <= policy.slack
            };
            if let Some((outer, whole)) = outers.last().copied()
                && !outers.iter().any(is_kept)
            {
                let late = late(outer, whole);
                let (inner, outer) = (words(trace, inner), words(trace, outer));
                let (asked, whole) = (text(asked), text(whole));
                return Err(match late <= policy.slack {
                    true => format!("T3: {inner} states {asked}, although {outer}, which it serves, states {whole}"),
                    false => {
                        let late = text(late);
                        format!("T3: {inner} was sent {late} after the time of {outer}, which it serves, was over")
                    }
                });
            }
        }
        Ok(())
    })
}

/// When processes were paused.
struct Pauses(BTreeMap<HostId, Vec<(Duration, Duration)>>);

impl Pauses {
    fn of(trace: &Trace) -> Pauses {
        let mut pauses: BTreeMap<HostId, Vec<(Duration, Duration)>> = BTreeMap::new();
        for record in &trace.records {
            let Some(host) = record.host else { continue };
            match record.event {
                Event::Paused => pauses.entry(host).or_default().push((record.at, Duration::MAX)),
                Event::Resumed | Event::Started => {
                    if let Some((_, end)) = pauses.get_mut(&host).and_then(|pauses| pauses.last_mut()) {
                        *end = (*end).min(record.at);
                    }
                }
                _ => {}
            }
        }
        Pauses(pauses)
    }

    /// Whether the process of a host was paused within this span of time.
    fn overlap(&self, host: HostId, from: Duration, to: Duration) -> bool {
        self.0.get(&host).is_some_and(|pauses| pauses.iter().any(|(begin, end)| *begin <= to && from <= *end))
    }
}
