//! What an idempotency key stands for.

use std::collections::BTreeMap;

use super::observed::{broken_at, check, end_of, group_of, is_accepted, words};
use crate::check::Check;
use crate::trace::exchange::{Exchange, trace_of};

pub(super) fn one_effect() -> Check {
    let needs = "no two requests with idempotency keys of one trace were accepted";
    check("I1 one effect for a call", needs, |trace, judged| {
        // The first accepted exchange of each trace, group of servers, method, path and body.
        let mut accepted: BTreeMap<(&str, &str, &str, &str, u64), &Exchange> = BTreeMap::new();
        for exchange in trace.exchanges().iter().filter(|exchange| is_accepted(exchange)) {
            let (Some(key), Some(name)) = (exchange.header("idempotency-key"), trace_of(exchange)) else { continue };
            let group = group_of(trace, exchange.server());
            let (method, body) = (exchange.method.as_str(), exchange.request.body_digest);
            let first = *accepted.entry((name, group, method, exchange.path_only(), body)).or_insert(exchange);
            if first.connection == exchange.connection && first.stream == exchange.stream {
                continue;
            }
            *judged += 1;
            if answer(first) != answer(exchange) {
                let other = first.header("idempotency-key").unwrap_or_default();
                let (first, next) = (words(trace, first), words(trace, exchange));
                return broken_at(
                    end_of(exchange),
                    format!(
                        "I1: {first} with the key {other} and {next} with the key {key} are one call, and had two effects: they got \
                     other responses"
                    ),
                );
            }
        }
        Ok(())
    })
}

/// What an accepted exchange was answered: the status, and the digest of the body.
fn answer(exchange: &Exchange) -> (Option<u16>, Option<u64>) {
    (exchange.status, exchange.response.as_ref().map(|response| response.body_digest))
}

pub(super) fn one_answer() -> Check {
    let needs = "no idempotency key was used twice with a whole response each time";
    check("I3 one key means one body and one answer", needs, |trace, judged| {
        // The first accepted exchange of each key, method, path and group of servers.
        let mut accepted: BTreeMap<(&str, &str, &str, &str), &Exchange> = BTreeMap::new();
        for exchange in trace.exchanges() {
            let Some(key) = exchange.header("idempotency-key") else { continue };
            if !is_accepted(exchange) {
                continue;
            }
            let group = group_of(trace, exchange.server());
            let name = (key, group, exchange.method.as_str(), exchange.path_only());
            let Some(first) = accepted.get(&name) else {
                accepted.insert(name, exchange);
                continue;
            };
            *judged += 1;
            let what = || format!("{} and {}", words(trace, first), words(trace, exchange));
            if first.request.body_digest != exchange.request.body_digest {
                return broken_at(
                    end_of(exchange),
                    format!("I3: {} have the same key {key} and other bodies, and were both accepted", what()),
                );
            }
            if answer(first) != answer(exchange) {
                return broken_at(
                    end_of(exchange),
                    format!("I3: {} have the same key {key} and body, and got other responses", what()),
                );
            }
        }
        Ok(())
    })
}

pub(super) fn one_key() -> Check {
    let needs = "no two requests with idempotency keys belong to one trace";
    check("I5 one key for a call", needs, |trace, judged| {
        let mut keys: BTreeMap<(&str, _, &str, &str, u64), &Exchange> = BTreeMap::new();
        for exchange in trace.exchanges() {
            let (Some(key), Some(name)) = (exchange.header("idempotency-key"), trace_of(exchange)) else { continue };
            let body = exchange.request.body_digest;
            let call = (name, exchange.client(), exchange.method.as_str(), exchange.path.as_str(), body);
            let Some(first) = keys.get(&call) else {
                keys.insert(call, exchange);
                continue;
            };
            *judged += 1;
            let other = first.header("idempotency-key").unwrap_or_default();
            if other != key {
                let (first, next) = (words(trace, first), words(trace, exchange));
                return broken_at(
                    exchange.request.first_sent,
                    format!("I5: {first} has the key {other}, and {next} of the same call has the key {key}"),
                );
            }
        }
        Ok(())
    })
}
