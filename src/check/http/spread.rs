//! Whether retries are spread over time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::observed::{asked_wait, broken_at, check, group_of};
use super::policy::HttpPolicy;
use crate::check::Check;
use crate::check::chance::tail;
use crate::fault::{duration_text as text, millis};
use crate::trace::Trace;
use crate::trace::exchange::Exchange;

/// How rare it must be that a right client looks wrong.
const RARE: f64 = 1e-12;

pub(super) fn spread(policy: HttpPolicy) -> Check {
    let needs = "too few requests were sent again for a reason other than `Retry-After`";
    check("R4 retries are spread", needs, move |trace, judged| {
        for ((clients, servers, failures), mut delays) in delays(trace, &policy) {
            // If not even all of them together would be rare, nothing is judged.
            if tail(delays.len(), delays.len(), policy.most_retries_at_once) >= RARE {
                continue;
            }
            *judged += delays.len() as u64;
            delays.sort_unstable();
            let times = delays;
            let delays: Vec<Duration> = times.iter().map(|(delay, _)| *delay).collect();
            let slice = slice_of(&delays);
            let (count, from) = most_within(&delays, slice);
            if tail(delays.len(), count, policy.most_retries_at_once) < RARE {
                // By then, all of them have come at once.
                let within = times.iter().filter(|(delay, _)| (from..=from + slice).contains(delay));
                let last = within.map(|(_, began)| *began).max().unwrap_or_default();
                let (all, from, to) = (delays.len(), text(from), text(from + slice));
                let failures = if failures == 1 { "1 failure".to_owned() } else { format!("{failures} failures") };
                return broken_at(
                    last,
                    format!(
                        "R4: of the {all} retries of {clients} to {servers} after {failures}, {count} waited between {from} and {to}"
                    ),
                );
            }
        }
        Ok(())
    })
}

/// Groups of clients and of servers, and the number of failures.
type Retries<'a> = (&'a str, &'a str, usize);

/// How long retries waited, and when they began.
fn delays<'a>(trace: &'a Trace, policy: &HttpPolicy) -> BTreeMap<Retries<'a>, Vec<(Duration, Duration)>> {
    let exchanges = trace.exchanges();
    let mut firsts: BTreeMap<_, usize> = BTreeMap::new();
    for (place, exchange) in exchanges.iter().enumerate() {
        firsts.entry(exchange.connection).or_insert(place);
    }
    let mut delays: BTreeMap<Retries<'a>, Vec<(Duration, Duration)>> = BTreeMap::new();
    for call in policy.calls(trace) {
        for (index, pair) in call.attempts.windows(2).enumerate() {
            let (failed, retry) = (&exchanges[pair[0]], &exchanges[pair[1]]);
            let Some(failed_at) = failed.ended_at else { continue };
            let began = began(trace, retry, firsts.get(&retry.connection) == Some(&pair[1]), failed_at);
            if asked_wait(failed).is_some() || began < failed_at {
                continue;
            }
            let group = (group_of(trace, retry.client()), group_of(trace, retry.server()), index + 1);
            delays.entry(group).or_default().push((began - failed_at, began));
        }
    }
    delays
}

/// When an attempt began: with the connect, if it is the first request of a connection that was asked for after the failure.
fn began(trace: &Trace, retry: &Exchange, is_first: bool, failed_at: Duration) -> Duration {
    let sent = retry.request.first_sent;
    let connection = trace.connection(retry.connection).filter(|_| is_first);
    connection.map(|connection| connection.asked_at).filter(|asked_at| *asked_at >= failed_at).unwrap_or(sent)
}

/// A twentieth of the range over which these sorted delays should be spread: of twice their median, as the longest may have
/// waited for something else, too.
fn slice_of(delays: &[Duration]) -> Duration {
    let Some(longest) = delays.last().copied() else { return Duration::ZERO };
    (longest.min(delays[delays.len() / 2] * 2) / 20).max(millis(1))
}

/// The most of these sorted times that lie within a slice of this length, and where it begins.
fn most_within(times: &[Duration], slice: Duration) -> (usize, Duration) {
    let counts = times.iter().enumerate().map(|(place, from)| {
        let behind = times.partition_point(|time| *time <= *from + slice);
        (behind - place, *from)
    });
    // The earliest of the fullest.
    counts.rev().max_by_key(|(count, _)| *count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_slice() {
        let times = [1, 2, 10, 11, 12, 30].map(millis);
        assert_eq!(most_within(&times, millis(2)), (3, millis(10)));
        assert_eq!(most_within(&[], millis(2)), (0, millis(0)));
    }
}
