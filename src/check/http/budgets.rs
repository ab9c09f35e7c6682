//! The time that requests state for themselves.

use super::observed::{check, stated_timeout, trace_of, words};
use super::policy::HttpPolicy;
use crate::check::Check;
use crate::fault::duration_text as text;
use crate::trace::exchange::Exchange;

const NO_TIMEOUT: &str = "no request states a timeout, for example in `grpc-timeout` or `x-deadline-ms`";

pub(super) fn kept(policy: HttpPolicy) -> Check {
    check("T2 stated timeouts are kept", NO_TIMEOUT, move |trace, judged| {
        for exchange in trace.exchanges() {
            let Some(timeout) = stated_timeout(exchange) else { continue };
            let limit = exchange.request.first_sent + timeout + policy.slack + trace.step;
            if limit > trace.ended_at {
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

pub(super) fn shrink(policy: HttpPolicy) -> Check {
    let needs = "no server asked another within a trace in which both requests state a timeout";
    check("T3 timeouts shrink over hops", needs, move |trace, judged| {
        let timed = |exchange: &&Exchange| stated_timeout(exchange).is_some() && trace_of(exchange).is_some();
        let timed: Vec<&Exchange> = trace.exchanges().iter().filter(timed).collect();
        let mut by_trace: std::collections::BTreeMap<&str, Vec<&Exchange>> = std::collections::BTreeMap::new();
        for inner in timed {
            let name = trace_of(inner).unwrap_or_default();
            let began = inner.request.first_sent;
            let known = by_trace.entry(name).or_default();
            // The request that the asking host had received last is the one that it serves.
            let outer = known.iter().rev().find(|outer| {
                outer.server() == inner.client() && outer.request.first_arrived.is_some_and(|at| at <= began)
            });
            if let Some(outer) = outer
                && let (Some(whole), Some(asked)) = (stated_timeout(outer), stated_timeout(inner))
            {
                *judged += 1;
                let since = outer.request.first_arrived.unwrap_or(began);
                let left = (since + whole).saturating_sub(began);
                if asked > left + policy.slack {
                    let (inner, outer) = (words(trace, inner), words(trace, outer));
                    let (asked, left) = (text(asked), text(left));
                    return Err(format!("T3: {inner} states {asked}, but {outer} left only {left}"));
                }
            }
            known.push(inner);
        }
        Ok(())
    })
}
