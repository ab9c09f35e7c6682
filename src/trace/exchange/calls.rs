//! Which exchanges are attempts of one call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::data::Exchange;
use crate::trace::host_id::HostId;

/// How the attempts of a call were recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallIdentity {
    /// They carry the same `idempotency-key`.
    IdempotencyKey,
    /// They belong to the same trace (`traceparent`, or `x-request-id`), and have the same method and path.
    Trace,
    /// They have the same method, path and body, and each began soon after the one before it had failed.
    Likeness,
}

/// The attempts of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// How they were recognised.
    pub by: CallIdentity,
    /// Their places among the exchanges, in order.
    pub attempts: Vec<usize>,
}

/// Client, port, method; path and trace, or trace and key.
type Named<'a> = (HostId, u16, &'a str, &'a str, &'a str);

/// Client, port, method, path, and digest of the body.
type Alike<'a> = (HostId, u16, &'a str, &'a str, u64);

/// What is known of one run's exchanges, because many checks ask for the same: their possible causes, and the calls by the
/// window with which they were grouped. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::trace) struct KnownCalls(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    causes: OnceLock<Vec<Vec<usize>>>,
    calls: Mutex<BTreeMap<Duration, Arc<[Call]>>>,
}

impl KnownCalls {
    pub(in crate::trace) fn causes(&self, exchanges: &[Exchange]) -> &[Vec<usize>] {
        self.0.causes.get_or_init(|| possible_causes(exchanges))
    }

    pub(in crate::trace) fn within(&self, window: Duration, exchanges: &[Exchange]) -> Arc<[Call]> {
        let causes = self.causes(exchanges);
        let mut known = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(window).or_insert_with(|| grouped(exchanges, causes, window).into()).clone()
    }
}

/// For each exchange, which must be in order, the places of those that its client may have been serving when it asked: those
/// with the same trace or idempotency key that it had received by then.
pub fn possible_causes(exchanges: &[Exchange]) -> Vec<Vec<usize>> {
    let mut received: BTreeMap<(HostId, &str), Vec<usize>> = BTreeMap::new();
    let mut causes = Vec::with_capacity(exchanges.len());
    for (place, exchange) in exchanges.iter().enumerate() {
        let names = || trace_of(exchange).into_iter().chain(exchange.header("idempotency-key"));
        let began = exchange.request.first_sent;
        let arrived = |place: &&usize| exchanges[**place].request.first_arrived.is_some_and(|at| at <= began);
        let known = names().filter_map(|name| received.get(&(exchange.client(), name)));
        let mut own: Vec<usize> = known.flat_map(|places| places.iter().filter(arrived).copied()).collect();
        own.sort_unstable();
        own.dedup();
        causes.push(own);
        for name in names() {
            received.entry((exchange.server(), name)).or_default().push(place);
        }
    }
    causes
}

/// Whether an exchange with the key of a call is another call: it belongs to another trace, and the last attempt of the call
/// was answered.
fn is_another_call(call: &Call, exchanges: &[Exchange], exchange: &Exchange) -> bool {
    let last = call.attempts.last().map(|last| &exchanges[*last]);
    last.is_some_and(|last| last.is_answered() && trace_of(last).zip(trace_of(exchange)).is_some_and(|(a, b)| a != b))
}

/// The clients whose traces name calls and not attempts: those that sent a key twice in one trace.
fn clients_that_trace_calls(exchanges: &[Exchange]) -> BTreeSet<HostId> {
    let mut known = BTreeSet::new();
    let named = exchanges.iter().filter_map(|exchange| {
        Some((exchange.client(), exchange.method.as_str(), exchange.header("idempotency-key")?, trace_of(exchange)?))
    });
    named.filter(|name| !known.insert(*name)).map(|(client, ..)| client).collect()
}

/// Groups exchanges, which must be in order, into calls. What a host asks once for each attempt of somebody else is a call
/// each time: only what it asks more often than it was asked is an attempt of a call that it has made before. A key that is
/// used again in another trace begins another call, if it was answered before or if the client's traces name calls.
///
/// Without a key or a trace, an exchange belongs to the call of an earlier one that it equals (client, port, method, path,
/// body) if that one has ended without an answer (status below 500), at most `window` before.
///
/// Calls come in the order of their first attempts.
pub fn calls(exchanges: &[Exchange], window: Duration) -> Vec<Call> {
    grouped(exchanges, &possible_causes(exchanges), window)
}

fn grouped(exchanges: &[Exchange], causes: &[Vec<usize>], window: Duration) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let tracing = clients_that_trace_calls(exchanges);
    // The latest call of each name, and how many there have been.
    let mut by_name: BTreeMap<Named<'_>, (usize, usize)> = BTreeMap::new();
    let mut by_likeness: BTreeMap<Alike<'_>, Vec<usize>> = BTreeMap::new();
    for (place, exchange) in exchanges.iter().enumerate() {
        let (client, port) = (exchange.client(), exchange.connection.port);
        let (method, path) = (exchange.method.as_str(), exchange.path.as_str());
        let named = match (exchange.header("idempotency-key"), trace_of(exchange)) {
            (Some(key), trace) => {
                let trace = trace.filter(|_| tracing.contains(&client)).unwrap_or_default();
                Some((CallIdentity::IdempotencyKey, (client, port, method, trace, key)))
            }
            (None, Some(trace)) => Some((CallIdentity::Trace, (client, port, method, path, trace))),
            (None, None) => None,
        };
        let begin = |calls: &mut Vec<Call>, by: CallIdentity| {
            calls.push(Call { by, attempts: vec![place] });
            calls.len() - 1
        };
        if let Some((by, name)) = named {
            match by_name.get(&name).copied() {
                Some((call, count))
                    if count >= causes[place].len().max(1) && !is_another_call(&calls[call], exchanges, exchange) =>
                {
                    calls[call].attempts.push(place);
                }
                known => {
                    let count = known.map_or(0, |(_, count)| count);
                    by_name.insert(name, (begin(&mut calls, by), count + 1));
                }
            }
            continue;
        }
        let open = by_likeness.entry((client, port, method, path, exchange.request.body_digest)).or_default();
        let began = exchange.request.first_sent;
        let goes_on = open.iter().position(|call| {
            let last = calls[*call].attempts.last().map(|last| &exchanges[*last]);
            last.is_some_and(|last| {
                let failed_at = last.ended_at.filter(|_| !last.is_answered());
                failed_at.is_some_and(|failed_at| failed_at <= began && began <= failed_at + window)
            })
        });
        match goes_on {
            Some(number) => {
                let call = open[number];
                calls[call].attempts.push(place);
            }
            None => open.push(begin(&mut calls, CallIdentity::Likeness)),
        }
        // A call that can no longer go on is not looked at again.
        open.retain(|call| {
            let last = calls[*call].attempts.last().map(|last| &exchanges[*last]);
            last.is_some_and(|last| {
                !last.is_answered() && last.ended_at.is_none_or(|ended_at| began <= ended_at + window)
            })
        });
    }
    calls
}

/// What names the trace that an exchange belongs to: the trace id of `traceparent` (W3C Trace Context), or the request id.
pub(crate) fn trace_of(exchange: &Exchange) -> Option<&str> {
    let trace = exchange.header("traceparent").and_then(|parent| parent.split('-').nth(1));
    trace.or_else(|| exchange.header("x-request-id"))
}
