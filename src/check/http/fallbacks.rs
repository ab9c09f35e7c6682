//! Writes that are acknowledged or refused: who says that it is done, or not, has asked who does it.

use std::collections::BTreeMap;

use super::observed::{broken_at, check_if_any, end_of, is_accepted, is_named, words};
use crate::check::Check;
use crate::trace::exchange::Exchange;

/// D2: no write is acknowledged from a fallback. When a host of `front` answers a POST, PUT, PATCH or DELETE with success, a host
/// of `behind` has answered a write of that host with success before, for the same request.
///
/// `front` and `behind` are hosts, or groups of hosts whose names differ by the number at the end. Requests are recognised by
/// trace or idempotency key, as in [`possible_causes`](super::possible_causes); those without are not judged, nor are those in
/// `except`, by method and path, for example `POST /login`.
pub fn writes_are_acknowledged_behind(front: &str, behind: &str, except: &[&str]) -> Check {
    let (front, behind) = (front.to_owned(), behind.to_owned());
    let except: Vec<String> = except.iter().map(|request| (*request).to_owned()).collect();
    check_if_any("D2 no write is acknowledged from a fallback", move |trace, judged| {
        let exchanges = trace.exchanges();
        // Of each request that had an effect behind: the earliest time at which its server knew.
        let mut known = BTreeMap::new();
        for (inner, causes) in exchanges.iter().zip(trace.possible_causes()) {
            let Some(ended_at) = inner.ended_at.filter(|_| is_accepted(inner)) else { continue };
            if is_write(&inner.method) && is_named(trace, inner.server(), &behind) {
                for &outer in causes {
                    let earliest = known.entry(outer).or_insert(ended_at);
                    *earliest = (*earliest).min(ended_at);
                }
            }
        }
        for (place, exchange) in exchanges.iter().enumerate() {
            let is_success = reports_success(exchange);
            let Some(answered_at) = exchange.response.as_ref().map(|response| response.first_sent) else { continue };
            let is_acknowledged_write = is_write(&exchange.method) && is_success && is_identified(exchange);
            let is_judged = is_named(trace, exchange.server(), &front) && is_acknowledged_write;
            if !is_judged || except.contains(&format!("{} {}", exchange.method, exchange.path)) {
                continue;
            }
            *judged += 1;
            if known.get(&place).is_none_or(|known| *known > answered_at + trace.step) {
                let what = words(trace, exchange);
                return broken_at(
                    answered_at,
                    format!("D2: {what} was acknowledged, but {behind} had not acknowledged it to that host"),
                );
            }
        }
        Ok(())
    })
}

/// I4: what is refused has no effect. When a host of `front` answers a POST, PUT, PATCH or DELETE with 503 or 4xx but 408, no host of
/// `behind` answers a write that it sent for that request with success, neither before nor after, whether or not that answer
/// arrives: where the outcome is unknown, the answer is another 5xx.
///
/// Hosts and requests are recognised as in [`writes_are_acknowledged_behind`]. A write that may have been sent for several
/// requests is left out.
pub fn refused_writes_leave_no_effect(front: &str, behind: &str) -> Check {
    let (front, behind) = (front.to_owned(), behind.to_owned());
    check_if_any("I4 refused writes leave no effect", move |trace, judged| {
        let exchanges = trace.exchanges();
        let mut effects: BTreeMap<usize, &Exchange> = BTreeMap::new();
        for (inner, causes) in exchanges.iter().zip(trace.possible_causes()) {
            let is_effect =
                is_write(&inner.method) && reports_success(inner) && is_named(trace, inner.server(), &behind);
            if let ([outer], true) = (causes.as_slice(), is_effect) {
                effects.insert(*outer, inner);
            }
        }
        for (place, exchange) in exchanges.iter().enumerate() {
            let is_refused = matches!(exchange.status, Some(400..=407 | 409..=499 | 503)) && is_write(&exchange.method);
            if !is_refused || !is_identified(exchange) || !is_named(trace, exchange.server(), &front) {
                continue;
            }
            *judged += 1;
            if let Some(effect) = effects.get(&place) {
                let (what, happened) = (words(trace, exchange), words(trace, effect));
                return broken_at(end_of(effect), format!("I4: {what} was refused, but had an effect: {happened}"));
            }
        }
        Ok(())
    })
}

/// Whether an exchange can be followed from hop to hop.
fn is_identified(exchange: &Exchange) -> bool {
    ["idempotency-key", "traceparent", "x-request-id"].iter().any(|name| exchange.header(name).is_some())
}

/// Whether the server reports success, whether or not its response arrives.
fn reports_success(exchange: &Exchange) -> bool {
    matches!(exchange.status, Some(200..=299)) && matches!(exchange.grpc_status, None | Some(0))
}

fn is_write(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH" | "DELETE")
}
