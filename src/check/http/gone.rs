//! What is left behind by those who went away: work that nobody waits for, and connections that are half closed.

use std::time::Duration;

use super::observed::{broken_at, check, words};
use super::policy::HttpPolicy;
use crate::check::Check;
use crate::check::life::{Pauses, died_between};
use crate::fault::duration_text as text;
use crate::trace::Trace;
use crate::trace::exchange::{Ending, Exchange, TcpConnection, trace_of};

pub(super) fn work(policy: HttpPolicy) -> Check {
    let needs = "no client with a trace or a key closed its connection before it had its response";
    check("P3 work ends with its caller", needs, move |trace, judged| {
        let exchanges = trace.exchanges();
        let pauses = Pauses::of(trace);
        let left: Vec<Option<Duration>> = exchanges.iter().map(|exchange| left_at(trace, exchange)).collect();
        *judged += left.iter().flatten().count() as u64;
        for (inner, causes) in exchanges.iter().zip(trace.possible_causes()) {
            // The wire does not tell which of several callers the server was working for: one that waits is enough.
            let left: Option<Vec<Duration>> = causes.iter().map(|cause| left[*cause]).collect();
            let Some(last) = left.unwrap_or_default().into_iter().max() else { continue };
            let (host, began) = (inner.client(), inner.request.first_sent);
            let is_excused = || died_between(trace, host, last, began) || pauses.overlap(host, last, began);
            if began > last + policy.slack + trace.step && !is_excused() {
                let (what, since) = (words(trace, inner), text(last));
                return broken_at(began, format!("P3: {what} serves nobody: the last caller had left by {since}"));
            }
        }
        Ok(())
    })
}

/// When the server of an exchange learnt that its client had left without the response.
fn left_at(trace: &Trace, exchange: &Exchange) -> Option<Duration> {
    let is_named = trace_of(exchange).or_else(|| exchange.header("idempotency-key")).is_some();
    if exchange.ending != Ending::Abandoned || !is_named {
        return None;
    }
    let known_at = trace.connection(exchange.connection)?.end_seen_by_server_at?;
    let answered_at = exchange.response.as_ref().and_then(|response| response.last_sent);
    answered_at.is_none_or(|answered_at| answered_at > known_at).then_some(known_at)
}

pub(super) fn half_closed(policy: HttpPolicy) -> Check {
    let needs = "nobody closed a connection long before the end";
    check("P3 half-closed connections are closed", needs, move |trace, judged| {
        let pauses = Pauses::of(trace);
        for connection in trace.connections().iter().filter(|connection| connection.opened_at.is_some()) {
            for Side { host, peer, end_seen_at, closed_at } in sides(connection) {
                let Some(since) = end_seen_at else { continue };
                let due = since + policy.quiet_after;
                if due > trace.ended_at
                    || died_between(trace, host, since, trace.ended_at)
                    || pauses.overlap(host, since, due)
                {
                    continue;
                }
                *judged += 1;
                if closed_at.is_none_or(|closed_at| closed_at > due) {
                    let (host, peer) = (trace.name(host), trace.name(peer));
                    let (since, limit) = (text(since), text(policy.quiet_after));
                    return broken_at(
                        due,
                        format!(
                            "P3: {host} has a connection that {peer} closed by {since}, and did not close it within {limit}"
                        ),
                    );
                }
            }
        }
        Ok(())
    })
}

/// What one side of a connection knows.
struct Side {
    host: crate::trace::HostId,
    peer: crate::trace::HostId,
    end_seen_at: Option<Duration>,
    closed_at: Option<Duration>,
}

/// Both sides, each unless it saw a reset, after which there is nothing to close.
fn sides(connection: &TcpConnection) -> impl Iterator<Item = Side> {
    let (client, server) = (connection.client(), connection.server());
    let of_client = Side {
        host: client,
        peer: server,
        end_seen_at: connection.end_seen_by_client_at,
        closed_at: connection.closed_by_client_at,
    };
    let of_server = Side {
        host: server,
        peer: client,
        end_seen_at: connection.end_seen_by_server_at,
        closed_at: connection.closed_by_server_at,
    };
    let sides = [(of_client, connection.is_reset_for_client), (of_server, connection.is_reset_for_server)];
    sides.into_iter().filter(|(_, is_reset)| !is_reset).map(|(side, _)| side)
}
