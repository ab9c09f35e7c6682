//! The time that requests state for themselves.

use std::time::Duration;

use super::observed::{broken_at, check, stated_timeout, words};
use super::policy::HttpPolicy;
use crate::check::life::{Pauses, died_between};
use crate::check::{Breach, Check};
use crate::fault::duration_text as text;
use crate::trace::Trace;
use crate::trace::exchange::Exchange;

const NO_TIMEOUT: &str = "no request states a timeout, for example in `grpc-timeout` or `x-deadline-ms`";

pub(super) fn kept(policy: HttpPolicy) -> Check {
    check("T2 stated timeouts are kept", NO_TIMEOUT, move |trace, judged| {
        ended_in_time(trace, judged, &policy, "T2", |_| true)
    })
}

pub(super) fn bodies(policy: HttpPolicy) -> Check {
    let needs = "no request states a timeout and gets a response";
    let has_begun =
        |exchange: &Exchange| exchange.response.as_ref().is_some_and(|response| response.first_arrived.is_some());
    check("T4 bodies end in time", needs, move |trace, judged| ended_in_time(trace, judged, &policy, "T4", has_begun))
}

/// Judges whether those exchanges have ended that state a timeout and for which `is_judged` holds.
fn ended_in_time(
    trace: &Trace,
    judged: &mut u64,
    policy: &HttpPolicy,
    promise: &str,
    is_judged: impl Fn(&Exchange) -> bool,
) -> Result<(), Breach> {
    let pauses = Pauses::of(trace);
    for exchange in trace.exchanges().iter().filter(|exchange| is_judged(exchange)) {
        let Some(timeout) = stated_timeout(exchange) else { continue };
        let began = exchange.request.first_sent;
        let limit = began + timeout + policy.slack + trace.step;
        // A process that does nothing keeps no time.
        let client = exchange.client();
        let is_late = exchange.ended_at.is_none_or(|ended_at| ended_at > limit);
        let is_excused =
            || pauses.overlap(client, began, limit) || is_late && died_between(trace, client, began, limit);
        if limit > trace.ended_at || is_excused() {
            continue;
        }
        *judged += 1;
        if is_late {
            let (what, stated) = (words(trace, exchange), text(timeout));
            let end = exchange
                .ended_at
                .map_or("had not ended when the run did".to_owned(), |at| format!("ended after {}", text(at - began)));
            return broken_at(began + timeout, format!("{promise}: {what} states a timeout of {stated}, and {end}"));
        }
    }
    Ok(())
}

pub(super) fn grow(policy: HttpPolicy) -> Check {
    let needs = "no server asked another within a trace in which both requests state a timeout";
    check("T3 timeouts do not grow over hops", needs, move |trace, judged| {
        let exchanges = trace.exchanges();
        let pauses = Pauses::of(trace);
        for (inner, causes) in exchanges.iter().zip(trace.possible_causes()) {
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
                let (late, sent_at) = (late(outer, whole), inner.request.first_sent);
                let (inner, outer) = (words(trace, inner), words(trace, outer));
                let (asked, whole) = (text(asked), text(whole));
                let why = match late <= policy.slack {
                    true => format!("T3: {inner} states {asked}, although {outer}, which it serves, states {whole}"),
                    false => {
                        let late = text(late);
                        format!("T3: {inner} was sent {late} after the time of {outer}, which it serves, was over")
                    }
                };
                return broken_at(sent_at, why);
            }
        }
        Ok(())
    })
}
