//! How often, when and what is sent again.

use std::collections::BTreeMap;

use super::observed::{asked_wait, broken_at, check, group_of, words};
use super::policy::HttpPolicy;
use crate::check::retries::RetryBudget;
use crate::check::{Breach, Check};
use crate::fault::duration_text as text;
use crate::trace::Trace;
use crate::trace::exchange::{CallIdentity, Ending, Exchange, trace_of};

const NO_RETRY: &str = "no request was sent again";

/// How the attempts of a call were recognised, in words.
fn recognised(by: CallIdentity) -> &'static str {
    match by {
        CallIdentity::IdempotencyKey => "the same idempotency key",
        CallIdentity::Trace => "the same trace",
        CallIdentity::Likeness => "the same method, path and body",
    }
}

pub(super) fn limited(policy: HttpPolicy) -> Check {
    check("R1 attempts are limited on the wire", "no request was sent", move |trace, judged| {
        for call in policy.calls(trace) {
            *judged += call.attempts.len() as u64;
            if let Some(extra) = call.attempts.get(policy.most_attempts as usize) {
                let extra = &trace.exchanges()[*extra];
                let (what, max) = (words(trace, extra), policy.most_attempts);
                let (count, how) = (call.attempts.len(), recognised(call.by));
                return broken_at(
                    extra.request.first_sent,
                    format!("R1: {what} is attempt {} of {count} with {how}; the limit is {max}", max + 1),
                );
            }
        }
        Ok(())
    })
}

pub(super) fn within_budget(policy: HttpPolicy) -> Check {
    check("R2 retries stay within their budget on the wire", NO_RETRY, move |trace, judged| {
        let exchanges = trace.exchanges();
        let mut firsts = vec![true; exchanges.len()];
        for call in policy.calls(trace) {
            call.attempts[1..].iter().for_each(|attempt| firsts[*attempt] = false);
        }
        let mut budget = RetryBudget::new(policy.budget_window, policy.budget_ratio, policy.budget_minimum);
        for (exchange, is_first) in exchanges.iter().zip(firsts) {
            let (host, at) = (exchange.client(), exchange.request.first_sent);
            if is_first {
                budget.call(host, at);
                continue;
            }
            *judged += 1;
            let within = budget.retry(host, at);
            within.map_err(|why| Breach::from(format!("R2: {} {why}", trace.name(host))).at(at))?;
        }
        Ok(())
    })
}

pub(super) fn limited_at_a_hop(policy: HttpPolicy) -> Check {
    let needs = "no request carries a trace: let every hop pass on `traceparent` or `x-request-id`";
    check("R3 retries do not multiply over hops", needs, move |trace, judged| {
        let mut counts: BTreeMap<(&str, &str, &str, &str), u32> = BTreeMap::new();
        for exchange in trace.exchanges() {
            let Some(name) = trace_of(exchange) else { continue };
            *judged += 1;
            let group = group_of(trace, exchange.server());
            let count = counts.entry((name, group, &exchange.method, exchange.path_only())).or_default();
            *count += 1;
            if *count > policy.most_attempts_at_a_hop {
                let (what, max) = (words(trace, exchange), policy.most_attempts_at_a_hop);
                return broken_at(
                    exchange.request.first_sent,
                    format!("R3: {what} is request {count} of trace {name} to {group}; the limit is {max}"),
                );
            }
        }
        Ok(())
    })
}

/// Calls `judge` with each attempt but the first of each call, the attempt before it, and how they were recognised.
pub(super) fn pairs(
    trace: &Trace,
    policy: &HttpPolicy,
    mut judge: impl FnMut(&Exchange, &Exchange, CallIdentity) -> Result<(), Breach>,
) -> Result<(), Breach> {
    let exchanges = trace.exchanges();
    for call in policy.calls(trace) {
        for pair in call.attempts.windows(2) {
            judge(&exchanges[pair[0]], &exchanges[pair[1]], call.by)?;
        }
    }
    Ok(())
}

pub(super) fn retry_after(policy: HttpPolicy) -> Check {
    let needs =
        "no response with `Retry-After` in seconds, or `grpc-retry-pushback-ms`, was followed by another attempt";
    check("R5 Retry-After is kept", needs, move |trace, judged| {
        pairs(trace, &policy, |before, next, _| {
            let Some(ended_at) = before.ended_at else { return Ok(()) };
            let wait = asked_wait(before);
            // An attempt that began before the response had come is a hedge.
            let Some(wait) = wait.filter(|_| before.is_complete() && ended_at <= next.request.first_sent) else {
                return Ok(());
            };
            *judged += 1;
            let waited = next.request.first_sent - ended_at;
            if waited + policy.slack < wait {
                let (what, waited, wait) = (words(trace, next), text(waited), text(wait));
                let server = trace.name(before.server());
                return broken_at(
                    next.request.first_sent,
                    format!("R5: {what} came after {waited}; {server} had asked for {wait} (Retry-After)"),
                );
            }
            Ok(())
        })
    })
}

/// Whether a request that is sent twice has the effect of one (RFC 9110, 9.2.2).
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

pub(super) fn only_safe(policy: HttpPolicy) -> Check {
    check("R6 only safe requests are sent again", NO_RETRY, move |trace, judged| {
        pairs(trace, &policy, |before, next, by| {
            if next.is_grpc {
                return Ok(());
            }
            *judged += 1;
            let is_named = policy
                .also_safe
                .iter()
                .any(|safe| safe.split_once(' ') == Some((next.method.as_str(), next.path_only())));
            let is_safe = is_named || is_idempotent(&next.method) || next.header("idempotency-key").is_some();
            let is_unsent = before.ending == Ending::Refused || before.request.first_arrived.is_none();
            if !is_safe && !is_unsent {
                let (what, how) = (words(trace, next), recognised(by));
                let (first, ending) = (words(trace, before), before.ending);
                return broken_at(
                    next.request.first_sent,
                    format!(
                        "R6: {what} repeats {first} ({ending}; {how}), which has no key, is not idempotent, and reached the \
                     server"
                    ),
                );
            }
            Ok(())
        })
    })
}

/// Whether a whole response says that the request itself is wrong, and will be when it is sent again: 4xx but 408, 425 and
/// 429; in gRPC, the codes that its documentation calls errors of the client.
fn is_client_error(exchange: &Exchange) -> bool {
    let is_http =
        exchange.status.is_some_and(|status| (400..=499).contains(&status) && !matches!(status, 408 | 425 | 429));
    let is_grpc = matches!(exchange.grpc_status, Some(3 | 5 | 6 | 7 | 9 | 11 | 12 | 16));
    (is_http || is_grpc) && exchange.is_complete()
}

pub(super) fn client_errors(policy: HttpPolicy) -> Check {
    let needs = "no attempt of a call with a key or a trace was answered with 4xx, or an error of the client in gRPC";
    check("R7 client errors are final", needs, move |trace, judged| {
        let exchanges = trace.exchanges();
        for call in policy.calls(trace) {
            for (place, attempt) in call.attempts.iter().enumerate() {
                let before = &exchanges[*attempt];
                let is_running = before.status == Some(409) && call.by == CallIdentity::IdempotencyKey;
                if !is_client_error(before) || is_running || call.by == CallIdentity::Likeness {
                    continue;
                }
                *judged += 1;
                let later = call.attempts[place + 1..].iter().map(|next| &exchanges[*next]);
                let ended_at = before.ended_at.unwrap_or_default();
                // Another body is another request.
                let again = later.into_iter().find(|next| {
                    next.request.first_sent >= ended_at && next.request.body_digest == before.request.body_digest
                });
                if let Some(next) = again {
                    let (what, first, how) = (words(trace, next), words(trace, before), recognised(call.by));
                    return broken_at(next.request.first_sent, format!("R7: {what} repeats {first} ({how})"));
                }
            }
        }
        Ok(())
    })
}
