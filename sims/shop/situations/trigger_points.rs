//! What a run's trace and history say of attempts, effects, deaths and health, in a form that situations are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall::history::Operation;
use squall::prelude::*;
use squall::trace::{AttemptOutcome, Event, HostId};

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
    /// When it ended; never, if it did not.
    pub fn end(&self) -> Duration {
        self.ended.as_ref().map_or(Duration::MAX, |(at, _)| *at)
    }

    /// How it ended.
    pub fn outcome(&self) -> Option<&AttemptOutcome> {
        self.ended.as_ref().map(|(_, outcome)| outcome)
    }

    /// Whether it lasts at this time.
    pub fn lasts_at(&self, at: Duration) -> bool {
        self.began <= at && at <= self.end()
    }

    /// Whether a server did what it was asked.
    pub fn is_answered(&self) -> bool {
        matches!(self.outcome(), Some(AttemptOutcome::Status(200..=299)))
    }

    /// The client's number on its host: the upper half of a call's number.
    pub fn client(&self) -> u32 {
        (self.call >> 32) as u32
    }
}

/// All attempts, by the time of their beginning.
pub fn attempts(trace: &Trace) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    for (at, host, mark) in trace.marks() {
        match mark {
            Mark::AttemptStarted { call, attempt, .. } => {
                attempts.push(Attempt { host, call: *call, number: *attempt, began: at, ended: None });
            }
            Mark::AttemptEnded { call, attempt, outcome } => {
                // The one that ends is among the latest that began.
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

/// The last server that the gateway sent this attempt's request to. The gateway does not say whose requests it sends, so
/// this is known only of an attempt beside which there was no other.
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

/// The servers of which one, for certain, was sent this attempt's request; none if it may never have come that far.
pub fn servers_reached(trace: &Trace, attempts: &[Attempt], attempt: &Attempt) -> BTreeSet<HostId> {
    // What fails at the gateway itself is a 503 or a 504; these come from behind it, or from a server that broke off.
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

/// The attempts that were answered well, with the server that did it, where that is known.
pub fn answered_attempts(trace: &Trace) -> Vec<(Attempt, HostId)> {
    let all = attempts(trace);
    let servers: Vec<_> = all.iter().map(|attempt| server_of(trace, &all, attempt)).collect();
    let known = all.into_iter().zip(servers).filter_map(|(attempt, server)| Some((attempt, server?)));
    known.filter(|(attempt, _)| attempt.is_answered()).collect()
}

/// When each call ended, and whether it was answered.
pub fn calls_ended(trace: &Trace) -> BTreeMap<u64, (Duration, bool)> {
    let ended = trace.marks().filter_map(|(at, _, mark)| match mark {
        Mark::CallEnded { call, ok } => Some((*call, (at, *ok))),
        _ => None,
    });
    ended.collect()
}

/// When orders were committed, and which.
pub fn applied(trace: &Trace) -> impl Iterator<Item = (Duration, u64)> {
    trace.marks().filter_map(|(at, _, mark)| match mark {
        Mark::Applied { id, .. } => Some((at, *id)),
        _ => None,
    })
}

/// Which call asked for each order, as the auditor read it in the books.
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
    receipts.flatten().filter_map(|order| Some((order.id, u64::from_str_radix(&order.call, 16).ok()?))).collect()
}

/// Commits whose attempt got no good answer: when each was made, and the attempt.
pub fn lost_answers(trace: &Trace, history: &History) -> Vec<(Duration, Attempt)> {
    let calls = calls_of_orders(history);
    let mut attempts = attempts(trace);
    let mut lost = Vec::new();
    for (at, order) in applied(trace) {
        let is_its = |attempt: &Attempt| Some(&attempt.call) == calls.get(&order) && attempt.lasts_at(at);
        let unanswered = attempts.iter().position(|attempt| is_its(attempt) && !attempt.is_answered());
        lost.extend(unanswered.map(|index| (at, attempts.swap_remove(index))));
    }
    lost
}

/// When a host's programs ended, and when the next one started.
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

/// Whether a host has no program at this time.
pub fn is_down(trace: &Trace, host: HostId, at: Duration) -> bool {
    deaths(trace, host).any(|(died, restarted)| died <= at && at < restarted)
}

/// When the gateway changed its mind about which server, and what it then believed.
pub fn health_changes(trace: &Trace) -> impl Iterator<Item = (Duration, HostId, bool)> {
    trace.marks().filter_map(|(at, _, mark)| match mark {
        Mark::HealthChanged { to, healthy } => Some((at, *to, *healthy)),
        _ => None,
    })
}
