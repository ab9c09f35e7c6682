//! Connections that are still good, and the right responses on them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::observed::{broken_at, check, end_of, words};
use super::policy::HttpPolicy;
use crate::check::life::Pauses;
use crate::check::{Check, life};
use crate::fault::duration_text as text;
use crate::trace::Trace;
use crate::trace::exchange::Exchange;

pub(super) fn mixed_up() -> Check {
    let needs = "no response repeats the `x-request-id` of its request";
    check("P5 responses belong to their requests", needs, |trace, judged| {
        for exchange in trace.exchanges() {
            let answered = exchange.response.as_ref().and_then(|response| response.header("x-request-id"));
            let (Some(asked), Some(answered)) = (exchange.header("x-request-id"), answered) else { continue };
            *judged += 1;
            if asked != answered {
                let what = words(trace, exchange);
                return broken_at(
                    end_of(exchange),
                    format!("P5: {what} has the id {asked}, and its response has {answered}"),
                );
            }
        }
        Ok(())
    })
}

pub(super) fn closing(policy: HttpPolicy) -> Check {
    check("P1 closing connections are not used", "no request was sent", move |trace, judged| {
        for exchange in trace.exchanges() {
            *judged += 1;
            // A program sees what its machine has received only when it next looks.
            let seen = exchange.closing_since.filter(|since| *since + policy.slack < exchange.request.first_sent);
            if let Some(since) = seen {
                let (what, since) = (words(trace, exchange), text(since));
                return broken_at(
                    exchange.request.first_sent,
                    format!("P1: {what} was sent on a connection that its client knew was closing since {since}"),
                );
            }
        }
        Ok(())
    })
}

pub(super) fn idle(policy: HttpPolicy) -> Check {
    check("P2 idle connections are closed", "no connection carried an exchange that ended", move |trace, judged| {
        let pauses = Pauses::of(trace);
        let mut of_connections: BTreeMap<_, Vec<&Exchange>> = BTreeMap::new();
        for exchange in trace.exchanges() {
            of_connections.entry(exchange.connection).or_default().push(exchange);
        }
        for (key, exchanges) in of_connections {
            let over = trace.connection(key).and_then(|connection| connection.over_for_client_at());
            let over = over.unwrap_or(trace.ended_at);
            for (since, until) in idle_times(&exchanges, over) {
                *judged += 1;
                let limit = since + policy.idle_limit + policy.slack + trace.step;
                let excused =
                    || life::died_between(trace, key.from, since, limit) || pauses.overlap(key.from, since, limit);
                if until > limit && !excused() {
                    let (client, server) = (trace.name(key.from), trace.name(key.to));
                    let (idle, since, allowed) = (text(until - since), text(since), text(policy.idle_limit));
                    return broken_at(
                        limit,
                        format!(
                            "P2: {client} kept a connection to {server} that was idle since {since} for {idle}; the limit is {allowed}"
                        ),
                    );
                }
            }
        }
        Ok(())
    })
}

/// The times in which no exchange of a connection was open, up to its end. Exchanges come in order.
fn idle_times(exchanges: &[&Exchange], over: Duration) -> Vec<(Duration, Duration)> {
    let mut times = Vec::new();
    let mut busy_until = Some(Duration::ZERO);
    for (place, exchange) in exchanges.iter().enumerate() {
        if let Some(since) = busy_until
            && place > 0
            && since < exchange.request.first_sent
        {
            times.push((since, exchange.request.first_sent));
        }
        // An exchange without an end keeps its connection busy.
        busy_until = busy_until.zip(exchange.ended_at).map(|(before, ended)| before.max(ended));
    }
    times.extend(busy_until.filter(|since| *since < over).map(|since| (since, over)));
    times
}

pub(super) fn left_open(policy: HttpPolicy) -> Check {
    check("P3 nothing is left open", "no request was sent long before the end", move |trace, judged| {
        let pauses = Pauses::of(trace);
        let judged_until = trace.ended_at.saturating_sub(policy.quiet_after);
        for exchange in trace.exchanges() {
            let began = exchange.request.first_sent;
            if began > judged_until || policy.endless.iter().any(|path| path == exchange.path_only()) {
                continue;
            }
            *judged += 1;
            let is_open = exchange.ended_at.is_none() && !is_over(trace, exchange);
            let client = exchange.client();
            let excused = || {
                life::died_between(trace, client, began, trace.ended_at)
                    || pauses.overlap(client, judged_until, trace.ended_at)
            };
            if is_open && !excused() {
                let (what, end) = (words(trace, exchange), text(trace.ended_at));
                return broken_at(trace.ended_at, format!("P3: {what} is still open when the run ends at {end}"));
            }
        }
        Ok(())
    })
}

/// Whether the connection of an exchange is over for its client.
fn is_over(trace: &Trace, exchange: &Exchange) -> bool {
    trace.connection(exchange.connection).is_some_and(|connection| connection.over_for_client_at().is_some())
}
