//! A check of circuit breakers: what has healed is used again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Check, CountedVerdict};
use crate::fault::duration_text as text;
use crate::trace::{Event, HostId, Mark, Trace};

/// B3: a breaker that opened is closed again within `longest_backoff` after the end of the faults, and one request more.
///
/// Breakers are known by [`Mark::BreakerChanged`], one for each host. A breaker needs a request as its probe: it is judged
/// after the first request whose path begins with `path` that reaches its host after that time and ends.
pub fn breakers_close_within(longest_backoff: Duration, path: &str) -> Check {
    let path = path.to_owned();
    Check::over_exchanges("B3 breakers close again", move |trace, _| {
        let from = trace.run_for + longest_backoff;
        let mut judged = 0;
        for (host, states) in breakers(trace) {
            let probes = trace.exchanges().iter().filter(|exchange| {
                let arrived = exchange.request.first_arrived;
                exchange.server() == host && exchange.path.starts_with(&path) && arrived.is_some_and(|at| at >= from)
            });
            // A request that was given up says nothing.
            let Some(probed_at) = probes.filter(|probe| probe.is_complete()).filter_map(|probe| probe.ended_at).min()
            else {
                continue;
            };
            judged += 1;
            let before = states.iter().rev().find(|(at, _)| *at <= probed_at);
            if let Some((since, true)) = before {
                let (who, since, from, at) = (trace.name(host), text(*since), text(from), text(probed_at));
                return CountedVerdict::broken(
                    judged,
                    format!(
                        "B3: the breaker of {who}, open since {since}, should close by {from}; it is open after a request that ended at {at}"
                    ),
                );
            }
        }
        // A run in which no breaker opened says nothing.
        CountedVerdict::kept_if_any(judged)
    })
}

/// For each host whose breaker ever opened: when it changed, and whether it was open from then on.
fn breakers(trace: &Trace) -> BTreeMap<HostId, Vec<(Duration, bool)>> {
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
}
