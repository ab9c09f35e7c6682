//! Hedged requests: how often a host asks twice for one request, because the first answer is slow.

use std::collections::BTreeMap;
use std::time::Duration;

use super::observed::{broken_at, check, words};
use crate::check::Check;
use crate::fault::duration_text as text;
use crate::trace::exchange::Exchange;
use crate::trace::{Event, HostId, Trace};

/// R2: hedges have a budget, because they are most wanted when everything is slow, and then double the load. In every window, a
/// host sends at most `ratio` x the requests that it has received, and `burst` more.
///
/// A request is a hedge if another one that its host sent for the same incoming request is still in progress. Requests are
/// recognised by trace or idempotency key, as in [`possible_causes`](super::possible_causes). A new life of the process has a new
/// budget.
///
/// ```
/// use squall::check::http::hedges_within_budget;
/// use squall::prelude::*;
///
/// // gRPC shares the budget of retries; here one read in ten may be asked twice.
/// let scenario = Scenario::new("reads").check(hedges_within_budget(secs(10), 0.1, 5.0));
/// # assert_eq!(scenario.check_names().next(), Some("R2 hedges within budget"));
/// ```
pub fn hedges_within_budget(window: Duration, ratio: f64, burst: f64) -> Check {
    let needs = "no host asked twice at once for one request: let the answers of a host take long";
    check("R2 hedges within budget", needs, move |trace, judged| {
        for (host, hedges) in hedges(trace) {
            let starts: Vec<Duration> = trace
                .records
                .iter()
                .filter_map(|record| {
                    let is_start = record.host == Some(host) && record.event == Event::Started;
                    is_start.then_some(record.at)
                })
                .collect();
            let incoming = trace.exchanges().iter().filter(|exchange| exchange.server() == host);
            let received: Vec<Duration> = incoming.filter_map(|exchange| exchange.request.first_arrived).collect();
            let sent: Vec<Duration> = hedges.iter().map(|hedge| hedge.request.first_sent).collect();
            for (index, hedge) in hedges.iter().enumerate() {
                *judged += 1;
                let to = sent[index];
                let born = starts.iter().rfind(|start| **start <= to).copied().unwrap_or_default();
                let from = to.saturating_sub(window).max(born);
                let within = |at: &&Duration| (from..=to).contains(*at);
                // One that was sent earlier in the same instant counts as well, and no later one.
                let hedged = sent[..=index].iter().filter(within).count();
                let requests = received.iter().filter(within).count();
                let allowed = ratio.mul_add(requests as f64, burst);
                if hedged as f64 > allowed {
                    let (who, what) = (trace.name(host), words(trace, hedge));
                    let within = text(to - from);
                    return broken_at(
                        to,
                        format!(
                            "R2: {who} asked twice for {hedged} of {requests} requests within {within}; the budget is \
                             {allowed:.1}; the last was {what}"
                        ),
                    );
                }
            }
        }
        Ok(())
    })
}

/// The hedges of each host, in the order in which they were sent.
fn hedges(trace: &Trace) -> BTreeMap<HostId, Vec<&Exchange>> {
    let mut known: BTreeMap<(HostId, &[usize]), Vec<&Exchange>> = BTreeMap::new();
    let mut hedges: BTreeMap<HostId, Vec<&Exchange>> = BTreeMap::new();
    for (exchange, causes) in trace.exchanges().iter().zip(trace.possible_causes()) {
        if causes.is_empty() {
            continue;
        }
        let began = exchange.request.first_sent;
        let asked = known.entry((exchange.client(), causes)).or_default();
        let is_alike = |other: &&&Exchange| other.method == exchange.method && other.path == exchange.path;
        let is_open = |other: &&Exchange| other.ended_at.is_none_or(|ended_at| ended_at > began);
        if asked.iter().filter(is_alike).any(is_open) {
            hedges.entry(exchange.client()).or_default().push(exchange);
        }
        asked.push(exchange);
    }
    hedges
}
