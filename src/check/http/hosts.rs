//! Which host is asked again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::attempts::pairs;
use super::observed::{asked_wait, broken_at, check, group_of, words};
use super::policy::HttpPolicy;
use crate::check::Check;
use crate::check::life::{Pauses, died_between};
use crate::fault::duration_text as text;
use crate::trace::exchange::Exchange;
use crate::trace::{HostId, Trace};

/// For each pair of client and server: when exchanges ended, and whether they were answered.
type Answers = BTreeMap<(HostId, HostId, u16), Vec<(Duration, bool)>>;

pub(super) fn another(policy: HttpPolicy) -> Check {
    let needs =
        "no attempt failed and was followed by another one, while another host of the group answered its client";
    check("R8 retries go to another host", needs, move |trace, judged| {
        let (answers, pauses) = (answers(trace), Pauses::of(trace));
        pairs(trace, &policy, |failed, next, _| {
            let began = next.request.first_sent;
            // A server that says when to come back may be asked again, and an attempt that goes on has not failed yet.
            let has_failed = !failed.is_answered() && failed.ended_at.is_some_and(|ended_at| ended_at <= began);
            if !has_failed || asked_wait(failed).is_some() {
                return Ok(());
            }
            let Some(other) = healthy_other(trace, &answers, &pauses, failed, began, policy.healthy_for) else {
                return Ok(());
            };
            *judged += 1;
            if next.server() == failed.server() {
                let (what, first, other) = (words(trace, next), words(trace, failed), trace.name(other));
                let (ending, at) = (failed.ending, text(began));
                return broken_at(
                    began,
                    format!("R8: {what} repeats {first} ({ending}) at the same host, although {other} is well at {at}"),
                );
            }
            Ok(())
        })
    })
}

fn answers(trace: &Trace) -> Answers {
    let mut answers = Answers::new();
    for exchange in trace.exchanges() {
        let Some(ended_at) = exchange.ended_at else { continue };
        let ends = (exchange.client(), exchange.server(), exchange.connection.port);
        answers.entry(ends).or_default().push((ended_at, exchange.is_answered()));
    }
    answers.values_mut().for_each(|answers| answers.sort_unstable());
    answers
}

/// A host of the same group that lives, and that gave the client of this attempt an answer last, not long before.
fn healthy_other(
    trace: &Trace,
    answers: &Answers,
    pauses: &Pauses,
    failed: &Exchange,
    at: Duration,
    healthy_for: Duration,
) -> Option<HostId> {
    let group = group_of(trace, failed.server());
    let is_well = |server: HostId, answers: &[(Duration, bool)]| {
        let before = &answers[..answers.partition_point(|(ended_at, _)| *ended_at <= at)];
        before.last().is_some_and(|(answered_at, is_answered)| {
            *is_answered
                && *answered_at + healthy_for >= at
                && !died_between(trace, server, *answered_at, at)
                && !pauses.overlap(server, *answered_at, at)
        })
    };
    let others = answers.iter().filter(|((client, server, port), _)| {
        let is_same_service = *port == failed.connection.port && group_of(trace, *server) == group;
        *client == failed.client() && *server != failed.server() && is_same_service
    });
    others
        .map(|((_, server, _), answers)| (*server, answers))
        .find(|(server, answers)| is_well(*server, answers))
        .map(|(server, _)| server)
}
