//! Facts about attempts, effects, deaths and health, read from a run's trace and history; situations are built from
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall::history::Operation;
use squall::prelude::*;
use squall::trace::{AttemptOutcome, Event, HostId, Mark};

use crate::shop::client::CALLS_PER_CLIENT;
use crate::shop::message::OrderReceipt;
use crate::shop::workload::Reply;

/// One attempt of a call.
#[derive(Debug)]
pub struct Attempt {
    /// The client's host.
    pub host: HostId,
    /// The call.
    pub call: u64,
    /// Counted from 1.
    pub number: u32,
    /// When it began.
    pub began: Duration,
    /// When and how it ended.
    pub ended: Option<(Duration, AttemptOutcome)>,
}

impl Attempt {
    /// When it ended; `Duration::MAX` if it did not.
    pub fn end(&self) -> Duration {
        self.ended.as_ref().map_or(Duration::MAX, |(at, _)| *at)
    }

    /// How it ended.
    pub fn outcome(&self) -> Option<&AttemptOutcome> {
        self.ended.as_ref().map(|(_, outcome)| outcome)
    }

    /// Whether it was in progress at this time.
    pub fn lasts_at(&self, at: Duration) -> bool {
        self.began <= at && at <= self.end()
    }

    /// Whether it succeeded.
    pub fn is_answered(&self) -> bool {
        matches!(self.outcome(), Some(AttemptOutcome::Status(200..=299)))
    }

    /// The client's number on its host: each has its own numbers of calls.
    pub fn client(&self) -> u32 {
        (self.call / CALLS_PER_CLIENT) as u32
    }
}

/// All attempts, sorted by start time.
pub fn attempts(trace: &Trace) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    for (at, host, mark) in trace.marks() {
        match mark {
            Mark::AttemptStarted { call, attempt, .. } => {
                attempts.push(Attempt { host, call: *call, number: *attempt, began: at, ended: None });
            }
            Mark::AttemptEnded { call, attempt, outcome } => {
                // The attempt that ends is usually among the latest that began.
                let open = attempts.iter_mut().rev().find(|open| open.call == *call && open.number == *attempt);
                if let Some(open) = open {
                    open.ended = Some((at, outcome.clone()));
                }
            }
            _ => {}
        }
    }
    attempts
}

/// The last server that the gateway sent this attempt's request to. The gateway does not record whose requests it
/// sends, so this is only known for an attempt that overlaps no other.
pub fn server_of(trace: &Trace, attempts: &[Attempt], attempt: &Attempt) -> Option<HostId> {
    let is_other = |other: &&Attempt| (other.call, other.number) != (attempt.call, attempt.number);
    let overlaps = |other: &Attempt| other.began <= attempt.end() && attempt.began <= other.end();
    if attempts.iter().filter(is_other).any(overlaps) {
        return None;
    }
    let sent = trace.marks().filter_map(|(at, _, mark)| match mark {
        Mark::Dispatched { to } if attempt.lasts_at(at) => Some(*to),
        _ => None,
    });
    sent.last()
}

/// Servers of which at least one was certainly sent this attempt's request; empty if it may have reached none.
pub fn servers_reached(trace: &Trace, attempts: &[Attempt], attempt: &Attempt) -> BTreeSet<HostId> {
    // The gateway itself fails with 503 or 504; a 2xx or 502 comes from a server, or from a connection that broke.
    let came_back = matches!(attempt.outcome(), Some(AttemptOutcome::Status(200..=299 | 502)));
    if !came_back {
        return server_of(trace, attempts, attempt).into_iter().collect();
    }
    let sent = trace.marks().filter_map(|(at, _, mark)| match mark {
        Mark::Dispatched { to } if attempt.lasts_at(at) => Some(*to),
        _ => None,
    });
    sent.collect()
}

/// The successful attempts whose server is known, with that server.
pub fn answered_attempts(trace: &Trace) -> Vec<(Attempt, HostId)> {
    let all = attempts(trace);
    let servers: Vec<_> = all.iter().map(|attempt| server_of(trace, &all, attempt)).collect();
    let known = all.into_iter().zip(servers).filter_map(|(attempt, server)| Some((attempt, server?)));
    known.filter(|(attempt, _)| attempt.is_answered()).collect()
}

/// When each call ended, and whether it succeeded.
pub fn calls_ended(trace: &Trace) -> BTreeMap<u64, (Duration, bool)> {
    let ended = trace.marks().filter_map(|(at, _, mark)| match mark {
        Mark::CallEnded { call, ok } => Some((*call, (at, *ok))),
        _ => None,
    });
    ended.collect()
}

/// The commits of orders: when, and the order's number.
pub fn applied(trace: &Trace) -> impl Iterator<Item = (Duration, u64)> {
    trace.marks().filter_map(|(at, _, mark)| match mark {
        Mark::Applied { id, .. } => Some((at, *id)),
        _ => None,
    })
}

/// The call that placed each order, by order number, from the receipts of buyers and the auditor.
pub fn calls_of_orders(history: &History) -> BTreeMap<u64, u64> {
    let audited = |operation: &Operation| operation.answer::<Vec<OrderReceipt>>().ok().flatten();
    let placed = |operation: &Operation| match operation.answer() {
        Ok(Some(Reply::Placed(receipt))) => Some(vec![receipt]),
        _ => None,
    };
    let receipts = history.operations.iter().filter_map(|operation| match operation.name.as_str() {
        "audit" => audited(operation),
        "place_order" => placed(operation),
        _ => None,
    });
    receipts.flatten().filter_map(|order| Some((order.id, order.call.parse().ok()?))).collect()
}

/// The commits whose attempt got no successful answer: the time of the commit, and the attempt.
pub fn lost_answers(trace: &Trace, history: &History) -> Vec<(Duration, Attempt)> {
    let calls = calls_of_orders(history);
    let mut attempts = attempts(trace);
    let mut lost = Vec::new();
    for (at, order) in applied(trace) {
        let placed_it = |attempt: &Attempt| Some(&attempt.call) == calls.get(&order) && attempt.lasts_at(at);
        let unanswered = attempts.iter().position(|attempt| placed_it(attempt) && !attempt.is_answered());
        lost.extend(unanswered.map(|index| (at, attempts.swap_remove(index))));
    }
    lost
}

/// The times at which a host's program ended, each with the time of the next start (`Duration::MAX` if there was none).
pub fn deaths(trace: &Trace, host: HostId) -> impl Iterator<Item = (Duration, Duration)> {
    let own = move |event: fn(&Event) -> bool| {
        trace.records.iter().filter(move |record| record.host == Some(host) && event(&record.event))
    };
    let died = own(|event| matches!(event, Event::Killed | Event::PoweredOff | Event::Returned | Event::Failed));
    died.map(move |death| {
        let restarted = own(|event| *event == Event::Started).map(|record| record.at).find(|at| *at >= death.at);
        (death.at, restarted.unwrap_or(Duration::MAX))
    })
}

/// Whether no program runs on a host at this time.
pub fn is_down(trace: &Trace, host: HostId, at: Duration) -> bool {
    deaths(trace, host).any(|(died, restarted)| died <= at && at < restarted)
}

/// The health changes at the gateway: when, the server, and whether it was then considered healthy.
pub fn health_changes(trace: &Trace) -> impl Iterator<Item = (Duration, HostId, bool)> {
    trace.marks().filter_map(|(at, _, mark)| match mark {
        Mark::HealthChanged { to, healthy } => Some((at, *to, *healthy)),
        _ => None,
    })
}
