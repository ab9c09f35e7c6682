//! Situations in which the shop's promises are at stake, each a pure function of a run's trace and history.
//!
//! Owns the coverage goals of the shop's scenarios; the checks judge whether the promises were kept.

mod facts;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use squall::history::{Completion, Operation};
use squall::prelude::*;
use squall::trace::exchange::{Ending, Exchange};
use squall::trace::{AttemptOutcome, Event, HostId, Mark};

use super::client_config::ClientConfig;
use super::message::{CALL_HEADER, DEADLINE_HEADER};
use super::outlier::OutlierRules;
use super::workload::Reply;
pub use facts::applied;
use facts::{
    Attempt, answered_attempts, attempts, calls_ended, calls_of_orders, deaths, health_changes, is_down, lost_answers,
    servers_reached,
};

/// An order was committed, but the attempt that placed it got no successful answer.
pub fn an_answer_was_lost_after_its_effect(trace: &Trace, history: &History) -> bool {
    !lost_answers(trace, history).is_empty()
}

/// An attempt failed on one server, and the next one of the same call was answered by another.
pub fn a_retry_reached_another_server(trace: &Trace, _: &History) -> bool {
    let attempts = attempts(trace);
    attempts.iter().filter(|retry| retry.number > 1 && retry.is_answered()).any(|retry| {
        let failed = attempts.iter().find(|other| other.call == retry.call && other.number + 1 == retry.number);
        let reached = failed.map(|failed| servers_reached(trace, &attempts, failed)).unwrap_or_default();
        !reached.is_empty() && reached.is_disjoint(&servers_reached(trace, &attempts, retry))
    })
}

/// A call made as many attempts as it may.
pub fn a_call_made_its_last_attempt(trace: &Trace, _: &History) -> bool {
    let allowed = ClientConfig::default().max_attempts;
    attempts(trace).iter().any(|attempt| attempt.number == allowed)
}

/// A call gave up with attempts left, because the retry budget was empty.
pub fn the_retry_budget_was_spent(_: &Trace, history: &History) -> bool {
    let allowed = ClientConfig::default().max_attempts;
    history.operations.iter().any(|operation| {
        let Some((_, Completion::Fail(why) | Completion::Unknown(why))) = &operation.completed else { return false };
        let made = why.strip_prefix("unavailable after ").and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
        made.is_some_and(|made| made < allowed)
    })
}

/// An attempt timed out, and its call succeeded nevertheless.
pub fn an_attempt_timed_out_and_its_call_succeeded(trace: &Trace, _: &History) -> bool {
    let ended = calls_ended(trace);
    let is_ok = |call| ended.get(&call).is_some_and(|(_, ok)| *ok);
    attempts(trace).iter().any(|attempt| attempt.outcome() == Some(&AttemptOutcome::TimedOut) && is_ok(attempt.call))
}

/// A call failed at its deadline.
pub fn a_call_ended_at_its_deadline(trace: &Trace, _: &History) -> bool {
    let ended = calls_ended(trace);
    trace.marks().any(|(began, _, mark)| {
        let Mark::CallStarted { call, deadline } = mark else { return false };
        // Timers are exact to a millisecond, and the last attempt's limit is rounded to a millisecond as well.
        ended.get(call).is_some_and(|(at, ok)| !ok && *at + millis(2) >= began + *deadline)
    })
}

/// An order was committed after its client had given up on it.
pub fn an_order_took_effect_after_its_client_gave_up(trace: &Trace, history: &History) -> bool {
    let (calls, ended) = (calls_of_orders(history), calls_ended(trace));
    applied(trace).any(|(at, order)| {
        let end = calls.get(&order).and_then(|call| ended.get(call));
        end.is_some_and(|(ended, ok)| !ok && *ended < at)
    })
}

/// An order was committed, but its call failed.
pub fn an_order_took_effect_without_an_answer(trace: &Trace, history: &History) -> bool {
    let (calls, ended) = (calls_of_orders(history), calls_ended(trace));
    applied(trace).any(|(_, order)| calls.get(&order).and_then(|call| ended.get(call)).is_some_and(|(_, ok)| !ok))
}

/// An order was committed although its client died before its call ended.
pub fn an_order_outlived_its_client(trace: &Trace, history: &History) -> bool {
    let (calls, ended) = (calls_of_orders(history), calls_ended(trace));
    applied(trace).any(|(_, order)| calls.get(&order).is_some_and(|call| !ended.contains_key(call)))
}

/// A client closed its connection to the gateway, or died, while an api server was working for it.
pub fn a_buyer_left_in_the_middle_of_a_call(trace: &Trace, _: &History) -> bool {
    let (Some(buyer), Some(gateway)) = (trace.host("buyer"), trace.host("gateway")) else { return false };
    let left = |exchange: &&Exchange| exchange.client() == buyer && exchange.ending == Ending::Abandoned;
    let lefts: Vec<_> = trace.exchanges().iter().filter(left).collect();
    trace.exchanges().iter().filter(|inner| inner.client() == gateway).any(|inner| {
        inner.ending == Ending::Abandoned
            && lefts.iter().any(|outer| outer.header(CALL_HEADER) == inner.header(CALL_HEADER))
    })
}

/// The gateway stopped using a server because it failed what it was asked.
pub fn a_server_was_ejected_for_its_answers(trace: &Trace, _: &History) -> bool {
    ejections(trace).next().is_some()
}

/// A server failed many requests in a row while another was ejected for the same, and was asked nevertheless.
pub fn a_failing_server_was_kept(trace: &Trace, _: &History) -> bool {
    let failures = OutlierRules::default().failures as usize;
    let fails = |exchange: &&Exchange| exchange.status.is_some_and(|status| status >= 500);
    ejections(trace).any(|(from, to, ejected)| {
        let is_meanwhile = |at: Duration| from < at && at < to;
        let asked = trace.exchanges().iter().filter(|exchange| {
            let server = exchange.server();
            trace.name(server).starts_with("api-") && server != ejected && is_meanwhile(exchange.request.first_sent)
        });
        let mut failed: BTreeMap<HostId, usize> = BTreeMap::new();
        asked.filter(fails).for_each(|exchange| *failed.entry(exchange.server()).or_default() += 1);
        failed.values().any(|count| *count > failures)
    })
}

/// Two servers worked on the same attempt to read at the same time.
pub fn a_read_was_asked_of_two_servers(trace: &Trace, _: &History) -> bool {
    hedges(trace).next().is_some()
}

/// A read was answered by the server that was asked second, while the first had not answered.
pub fn the_second_server_answered_first(trace: &Trace, _: &History) -> bool {
    hedges(trace).any(|(first, second)| {
        let answered = second.response.as_ref().and_then(|response| response.last_arrived);
        second.status == Some(200) && answered.is_some() && first.ended_at >= answered && !first.is_complete()
    })
}

/// The pairs of reads for one call that the gateway sent to two servers, the second before the first had ended.
fn hedges(trace: &Trace) -> impl Iterator<Item = (&Exchange, &Exchange)> {
    let gateway = trace.host("gateway");
    let reads: Vec<&Exchange> = trace
        .exchanges()
        .iter()
        .filter(|exchange| Some(exchange.client()) == gateway && exchange.method == "GET")
        .filter(|exchange| exchange.header(CALL_HEADER).is_some())
        .collect();
    let pairs: Vec<_> = reads
        .iter()
        .enumerate()
        .flat_map(|(index, first)| reads[index + 1..].iter().map(move |second| (*first, *second)))
        .filter(|(first, second)| first.header(CALL_HEADER) == second.header(CALL_HEADER))
        .filter(|(first, second)| {
            let began = second.request.first_sent;
            first.server() != second.server()
                && first.request.first_sent < began
                && first.ended_at.is_none_or(|ended_at| ended_at > began)
        })
        .collect();
    pairs.into_iter()
}

/// When each ejection of a server for its answers began and ended, and of which server.
fn ejections(trace: &Trace) -> impl Iterator<Item = (Duration, Duration, HostId)> {
    trace.marks().filter_map(|(at, _, mark)| {
        let Mark::Ejected { to, lasting } = mark else { return None };
        Some((at, at + *lasting, *to))
    })
}

/// The gateway ejected a server and later readmitted it.
pub fn a_server_was_ejected_and_came_back(trace: &Trace, _: &History) -> bool {
    let mut ejected = Vec::new();
    health_changes(trace).any(|(_, server, healthy)| {
        ejected.push((server, healthy));
        healthy && ejected.contains(&(server, false))
    })
}

/// The gateway ejected a server whose program hung: it still accepted, but did not answer.
pub fn a_server_that_hung_was_ejected(trace: &Trace, _: &History) -> bool {
    let hangs = |server: HostId, at: Duration| {
        let own = trace.records.iter().filter(|record| record.host == Some(server) && record.at <= at);
        let last = |of: &[Event]| own.clone().rfind(|record| of.contains(&record.event)).map(|last| &last.event);
        let stalls = last(&[Event::OutputStalled, Event::OutputResumed]) == Some(&Event::OutputStalled);
        // A process that is started again is not paused.
        let is_paused = last(&[Event::Paused, Event::Resumed, Event::Started]) == Some(&Event::Paused);
        (stalls || is_paused) && !is_down(trace, server, at)
    };
    health_changes(trace).any(|(at, server, healthy)| !healthy && hangs(server, at))
}

/// A request was sent to a dead server, because the gateway had not noticed yet.
pub fn a_request_was_sent_to_a_dead_server(trace: &Trace, _: &History) -> bool {
    trace.marks().any(|(at, _, mark)| matches!(mark, Mark::Dispatched { to } if is_down(trace, *to, at)))
}

/// More than half of the servers were ejected, so that the gateway used all of them again.
pub fn most_servers_were_ejected_at_once(trace: &Trace, _: &History) -> bool {
    let servers = trace.hosts.iter().filter(|name| name.starts_with("api-")).count();
    let mut healthy = BTreeMap::new();
    health_changes(trace).any(|(_, server, is_healthy)| {
        healthy.insert(server, is_healthy);
        let ejected = healthy.values().filter(|is_healthy| !**is_healthy).count();
        (servers - ejected) * 2 < servers
    })
}

/// A server was ejected although it was alive.
pub fn a_living_server_was_ejected(trace: &Trace, _: &History) -> bool {
    health_changes(trace).any(|(at, server, healthy)| !healthy && !is_down(trace, server, at))
}

/// A stale price was served, because pricing was unavailable.
pub fn an_old_price_stood_in(_: &Trace, history: &History) -> bool {
    history
        .named("price")
        .any(|operation| matches!(operation.answer(), Ok(Some(Reply::Price(price))) if price.degraded))
}

/// A request was sent to a server that had been asked to stop and was still serving.
pub fn a_request_was_sent_to_a_stopping_server(trace: &Trace, _: &History) -> bool {
    let stopping = trace.records.iter().filter(|record| record.event == Event::Stopping);
    stopping.filter_map(|record| Some((record.at, record.host?))).any(|(stopping_at, server)| {
        let gone =
            deaths(trace, server).map(|(died, _)| died).find(|died| *died >= stopping_at).unwrap_or(Duration::MAX);
        trace.marks().any(|(at, _, mark)| *mark == Mark::Dispatched { to: server } && stopping_at < at && at < gone)
    })
}

/// A server accepted a token that another server had issued.
pub fn a_token_was_accepted_by_another_server(trace: &Trace, history: &History) -> bool {
    let mut given = BTreeMap::new();
    crosses_servers(trace, history, |operation, reply, server| match reply {
        Reply::LoggedIn => {
            given.insert((operation.host, operation.client), server);
            None
        }
        Reply::User(_) => given.get(&(operation.host, operation.client)).copied(),
        _ => None,
    })
}

/// An order was read from a server other than the one that took it.
pub fn an_order_was_read_from_another_server(trace: &Trace, history: &History) -> bool {
    let mut taken = BTreeMap::new();
    crosses_servers(trace, history, |_, reply, server| match reply {
        Reply::Placed(receipt) => {
            taken.insert(receipt.id, server);
            None
        }
        Reply::Order(receipt) => taken.get(&receipt.id).copied(),
        _ => None,
    })
}

/// Whether any answer refers back to a server other than the one that gave it. `earlier` returns the server that an
/// answer refers back to, if any is known. Answers whose server is unknown do not count.
fn crosses_servers(
    trace: &Trace,
    history: &History,
    mut earlier: impl FnMut(&Operation, &Reply, Option<HostId>) -> Option<Option<HostId>>,
) -> bool {
    let answered = answered_attempts(trace);
    history.operations.iter().any(|operation| {
        let (Ok(Some(reply)), Some((completed, _))) = (operation.answer::<Reply>(), &operation.completed) else {
            return false;
        };
        let server = answered.iter().find_map(|(attempt, server)| {
            let is_same_client = attempt.host == operation.host && attempt.client() == operation.client;
            (is_same_client && operation.invoked_at <= attempt.began && attempt.lasts_at(*completed)).then_some(*server)
        });
        let before = earlier(operation, &reply, server).flatten();
        before.is_some() && server.is_some() && before != server
    })
}

/// The store died after a commit and before the buyer had the answer.
pub fn the_store_died_between_a_commit_and_its_acknowledgement(trace: &Trace, history: &History) -> bool {
    let Some(store) = trace.host("store") else { return false };
    let (calls, ended) = (calls_of_orders(history), calls_ended(trace));
    applied(trace).any(|(committed, order)| {
        let end = calls.get(&order).and_then(|call| ended.get(call));
        end.is_some_and(|(ended, _)| deaths(trace, store).any(|(died, _)| committed < died && died < *ended))
    })
}

/// The store died during an attempt to place an order, the attempt failed, and a later one succeeded.
pub fn an_order_outlived_the_death_of_the_store(trace: &Trace, history: &History) -> bool {
    let Some(store) = trace.host("store") else { return false };
    let (calls, ended) = (calls_of_orders(history), calls_ended(trace));
    let met_a_death = |attempt: &Attempt| deaths(trace, store).any(|(died, _)| attempt.lasts_at(died));
    let attempts = attempts(trace);
    calls.values().filter(|call| ended.get(call).is_some_and(|(_, ok)| *ok)).any(|call| {
        attempts.iter().any(|attempt| attempt.call == *call && !attempt.is_answered() && met_a_death(attempt))
    })
}

/// The store lost power within 100 ms after an order was acknowledged.
pub fn power_was_lost_right_after_an_acknowledgement(trace: &Trace, history: &History) -> bool {
    let Some(store) = trace.host("store") else { return false };
    let powered_off = |at: Duration, until: Duration| {
        trace.records.iter().any(|record| {
            let is_power_loss = record.host == Some(store) && record.event == Event::PoweredOff;
            is_power_loss && at <= record.at && record.at <= until
        })
    };
    history.named("place_order").filter(|operation| operation.is_ok()).any(|operation| {
        let acknowledged = operation.completed.as_ref().map_or(Duration::MAX, |(at, _)| *at);
        powered_off(acknowledged, acknowledged.saturating_add(millis(100)))
    })
}

/// The store exited with an error, which only a failed disk causes, and committed an order after a restart.
pub fn a_failed_store_served_again(trace: &Trace, _: &History) -> bool {
    let Some(store) = trace.host("store") else { return false };
    let failed = trace.records.iter().find(|record| record.host == Some(store) && record.event == Event::Failed);
    failed.is_some_and(|failed| applied(trace).any(|(committed, _)| committed > failed.at))
}

/// The store lost power after its disk had failed.
pub fn power_was_lost_after_the_disk_had_failed(trace: &Trace, _: &History) -> bool {
    let Some(store) = trace.host("store") else { return false };
    let mut of_store = trace.records.iter().filter(|record| record.host == Some(store));
    of_store.any(|record| record.event == Event::Failed) && of_store.any(|record| record.event == Event::PoweredOff)
}

/// An attempt to place an order failed because the disk was full.
pub fn an_order_met_a_full_disk(trace: &Trace, _: &History) -> bool {
    attempts(trace).iter().any(|attempt| attempt.outcome() == Some(&AttemptOutcome::Status(507)))
}

/// An order whose key stood for another order was refused.
pub fn another_body_was_refused(_: &Trace, history: &History) -> bool {
    was_refused(history, "order_again", 422)
}

/// An order for no pieces was refused.
pub fn an_order_for_nothing_was_refused(_: &Trace, history: &History) -> bool {
    was_refused(history, "place_bad_order", 400)
}

/// An order at a price that its buyer had made up was refused.
pub fn a_made_up_price_was_refused(_: &Trace, history: &History) -> bool {
    was_refused(history, "order_at_price", 409)
}

/// The body of a request to write a note was cut off.
pub fn a_note_was_cut_off(trace: &Trace, _: &History) -> bool {
    let is_cut = |exchange: &Exchange| exchange.method == "PUT" && exchange.request.last_arrived.is_none();
    trace.exchanges().iter().any(is_cut)
}

/// A request was refused with the wish to wait before another attempt.
pub fn a_request_was_refused_with_a_wait(trace: &Trace, _: &History) -> bool {
    let is_refused = |exchange: &Exchange| {
        exchange.status == Some(503)
            && exchange.response.as_ref().is_some_and(|response| response.header("retry-after").is_some())
    };
    trace.exchanges().iter().any(is_refused)
}

/// Buyers got their orders acknowledged in every version of HTTP.
pub fn orders_were_placed_in_every_version(trace: &Trace, _: &History) -> bool {
    let placed = trace.exchanges().iter().filter(|exchange| {
        exchange.status == Some(201) && exchange.is_complete() && trace.name(exchange.client()) == "buyer"
    });
    placed.map(|exchange| exchange.version).collect::<BTreeSet<_>>().len() == 3
}

/// A client cancelled a stream of HTTP/2, and another one of the same connection was answered later.
pub fn a_stream_was_cancelled_among_others(trace: &Trace, _: &History) -> bool {
    let exchanges = trace.exchanges();
    exchanges.iter().filter_map(|cancelled| Some((cancelled, cancelled.cancelled_at?))).any(|(cancelled, at)| {
        let is_open = |other: &&Exchange| other.connection == cancelled.connection && other.request.first_sent < at;
        exchanges.iter().filter(is_open).any(|other| other.is_complete() && other.ended_at > Some(at))
    })
}

/// An order was committed while no pricing service was running.
pub fn an_order_was_placed_without_pricing(trace: &Trace, _: &History) -> bool {
    let Some(pricing) = trace.host("pricing") else { return false };
    applied(trace).any(|(at, _)| is_down(trace, pricing, at))
}

/// The store was given at least 100 ms less for a request than the server that asked it.
pub fn the_rest_of_the_time_was_passed_on(trace: &Trace, _: &History) -> bool {
    let exchanges = trace.exchanges();
    let given = |exchange: &Exchange| exchange.header(DEADLINE_HEADER)?.parse::<u64>().ok();
    exchanges.iter().zip(trace.possible_causes()).any(|(inner, causes)| {
        let outer = causes.last().map(|cause| &exchanges[*cause]).and_then(given);
        let is_for_store = trace.name(inner.server()) == "store";
        is_for_store && given(inner).zip(outer).is_some_and(|(inner, outer)| inner + 100 <= outer)
    })
}

fn was_refused(history: &History, name: &str, status: u16) -> bool {
    history.named(name).any(|operation| operation.answer::<Reply>().ok().flatten() == Some(Reply::Refused(status)))
}

/// The breaker of an api server opened, and closed again later.
pub fn a_breaker_opened_and_closed(trace: &Trace, _: &History) -> bool {
    let changes = || {
        trace.marks().filter_map(|(at, host, mark)| match mark {
            Mark::BreakerChanged { open } => Some((at, host, *open)),
            _ => None,
        })
    };
    changes()
        .filter(|(.., open)| *open)
        .any(|(opened, host, _)| changes().any(|(at, other, open)| !open && other == host && at > opened))
}

/// A gateway that was started after a session had begun found the server that knows it.
pub fn a_session_outlived_a_gateway(trace: &Trace, history: &History) -> bool {
    let gateway = trace.host("gateway");
    let is_start = |record: &&squall::trace::Record| record.host == gateway && record.event == Event::Started;
    let starts: Vec<Duration> = trace.records.iter().filter(is_start).map(|record| record.at).collect();
    let mut began: BTreeMap<u64, Duration> = BTreeMap::new();
    history.operations.iter().any(|operation| match operation.answer::<Reply>() {
        Ok(Some(Reply::LoggedIn)) => {
            let (at, _) = operation.completed.as_ref().expect("it has an answer");
            began.insert(operation.session(), *at);
            false
        }
        Ok(Some(Reply::User(_))) if operation.name == "who_am_i" => began
            .get(&operation.session())
            .is_some_and(|began| starts.iter().any(|start| began < start && *start < operation.invoked_at)),
        _ => false,
    })
}

/// The gateway refused a request by itself, because the servers had refused many.
pub fn a_gateway_refused_without_asking(trace: &Trace, _: &History) -> bool {
    let exchanges = trace.exchanges();
    let asked: BTreeSet<usize> = trace.possible_causes().iter().flatten().copied().collect();
    exchanges.iter().enumerate().any(|(place, exchange)| {
        let is_refusal = exchange.response.as_ref().is_some_and(|response| response.header("retry-after").is_some());
        trace.name(exchange.server()) == "gateway" && is_refusal && !asked.contains(&place)
    })
}

/// A forged token was refused after a server had been restarted.
pub fn a_forged_token_was_refused(trace: &Trace, history: &History) -> bool {
    let restarted = trace.records.iter().filter(|record| record.event == Event::Started && record.at > Duration::ZERO);
    let restarted = restarted.map(|record| record.at).min();
    let refused = |operation: &&Operation| operation.answer::<Reply>().ok().flatten() == Some(Reply::Refused(401));
    history.named("forge_token").filter(refused).any(|operation| restarted.is_some_and(|at| at < operation.invoked_at))
}
