//! Requests that share a connection: what becomes of one is nothing to the others.

use std::collections::BTreeMap;
use std::time::Duration;

use super::observed::{broken_at, check, end_of, words};
use super::policy::HttpPolicy;
use crate::check::Check;
use crate::check::life::{Pauses, died_between};
use crate::fault::{duration_text as text, millis};
use crate::trace::exchange::{Ending, Exchange, HttpVersion, TcpConnection};
use crate::trace::{FlowKey, Trace};

/// A connection on which nothing came from the server for so long may have been closed because it seemed dead.
const SILENCE: Duration = millis(500);

pub(super) fn cancelled(policy: HttpPolicy) -> Check {
    let needs = "no stream of HTTP/2 was cancelled while another one of its connection was open";
    check("P4 cancelled streams leave others alone", needs, move |trace, judged| {
        let pauses = Pauses::of(trace);
        let mut of_connections: BTreeMap<_, Vec<&Exchange>> = BTreeMap::new();
        for exchange in trace.exchanges().iter().filter(|exchange| exchange.version == HttpVersion::Http2) {
            of_connections.entry(exchange.connection).or_default().push(exchange);
        }
        for (key, exchanges) in of_connections {
            let Some(connection) = trace.connection(key) else { continue };
            // A reset needs to reach the server, and what the server does about it to come back.
            let round_trip = connection.opened_at.unwrap_or_default().saturating_sub(connection.asked_at);
            for (cancelled, at) in exchanges.iter().filter_map(|exchange| Some((exchange, exchange.cancelled_at?))) {
                let until = at + round_trip + policy.slack + trace.step;
                for other in exchanges.iter().filter(|other| is_open(other, at)) {
                    *judged += 1;
                    if is_harmed(other, connection, &exchanges, until) && !is_excused(trace, &pauses, key, at, until) {
                        let (what, harmed, at) = (words(trace, cancelled), words(trace, other), text(at));
                        return broken_at(
                            end_of(other),
                            format!("P4: {what} was cancelled at {at}, and that ended {harmed} as well"),
                        );
                    }
                }
            }
        }
        Ok(())
    })
}

/// Whether an exchange that its client does not cancel itself is open at this time.
fn is_open(exchange: &Exchange, at: Duration) -> bool {
    let has_ended = exchange.ended_at.is_some_and(|ended_at| ended_at < at);
    exchange.cancelled_at.is_none() && exchange.request.first_sent < at && !has_ended
}

/// Whether a connection may end within this span of time for another reason: a host died, was paused, or was about to stop.
fn is_excused(trace: &Trace, pauses: &Pauses, key: FlowKey, from: Duration, to: Duration) -> bool {
    let is_away = |host| died_between(trace, host, from, to) || pauses.overlap(host, from, to);
    let mut goaways = trace.observed().goaways.iter();
    [key.from, key.to].into_iter().any(is_away) || goaways.any(|goaway| goaway.connection == key && goaway.at <= to)
}

/// Whether an exchange ended by this time because somebody reset its stream or closed its connection, although the connection
/// was in use.
fn is_harmed(exchange: &Exchange, connection: &TcpConnection, all: &[&Exchange], until: Duration) -> bool {
    let Some(ended_at) = exchange.ended_at.filter(|ended_at| *ended_at <= until) else { return false };
    match exchange.ending {
        Ending::Reset | Ending::Closed => true,
        Ending::Abandoned => {
            let came =
                all.iter().filter_map(|other| other.response.as_ref()).filter_map(|response| response.first_arrived);
            let is_in_use = came.into_iter().any(|at| at <= ended_at && ended_at <= at + SILENCE);
            connection.closed_by_client_at == Some(ended_at) && is_in_use
        }
        Ending::Complete | Ending::Cut | Ending::Refused | Ending::Open => false,
    }
}
