//! Writes that are acknowledged: who says that it is done has asked who does it.

use std::collections::BTreeMap;

use super::observed::{check_if_any, is_accepted, is_named, words};
use crate::check::Check;

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
            let is_identified = ["idempotency-key", "traceparent", "x-request-id"];
            let is_identified = is_identified.iter().any(|name| exchange.header(name).is_some());
            let is_success =
                matches!(exchange.status, Some(200..=299)) && matches!(exchange.grpc_status, None | Some(0));
            let Some(answered_at) = exchange.response.as_ref().map(|response| response.first_sent) else { continue };
            let is_acknowledged_write = is_write(&exchange.method) && is_success && is_identified;
            let is_judged = is_named(trace, exchange.server(), &front) && is_acknowledged_write;
            if !is_judged || except.contains(&format!("{} {}", exchange.method, exchange.path)) {
                continue;
            }
            *judged += 1;
            if known.get(&place).is_none_or(|known| *known > answered_at + trace.step) {
                let what = words(trace, exchange);
                return Err(format!("D2: {what} was acknowledged, but {behind} had not acknowledged it to that host"));
            }
        }
        Ok(())
    })
}

fn is_write(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH" | "DELETE")
}
