//! What the checks of this module share: exchanges with their names, and verdicts about them.

use std::time::Duration;

use crate::check::{Breach, Check, CountedVerdict};
use crate::fault::duration_text as text;
use crate::trace::exchange::Exchange;
use crate::trace::{HostId, Trace};

/// A check over exchanges. `judge` returns how many things it judged, or what is broken; `if_none` says what it needs.
pub(super) fn check(
    name: &str,
    if_none: &'static str,
    judge: impl Fn(&Trace, &mut u64) -> Result<(), Breach> + Send + Sync + 'static,
) -> Check {
    judging(name, judge, move |judged| CountedVerdict::kept(judged, if_none))
}

/// The same for what need not come up in every run, only in some of them.
pub(super) fn check_if_any(
    name: &str,
    judge: impl Fn(&Trace, &mut u64) -> Result<(), Breach> + Send + Sync + 'static,
) -> Check {
    judging(name, judge, CountedVerdict::kept_if_any)
}

fn judging(
    name: &str,
    judge: impl Fn(&Trace, &mut u64) -> Result<(), Breach> + Send + Sync + 'static,
    kept: impl Fn(u64) -> CountedVerdict + Send + Sync + 'static,
) -> Check {
    Check::over_exchanges(name, move |trace, _| {
        let mut judged = 0;
        if let Err(why) = judge(trace, &mut judged) {
            return CountedVerdict::broken(judged, why);
        }
        let observed = trace.observed();
        match observed.exchanges.is_empty() {
            true => CountedVerdict::kept(0, &observed.why_none()),
            false => kept(judged),
        }
    })
}

/// When an exchange ended for its client, or when its request was sent if it never did.
pub(super) fn end_of(exchange: &Exchange) -> Duration {
    exchange.ended_at.unwrap_or(exchange.request.first_sent)
}

/// What is broken, and when.
pub(super) fn broken_at(at: Duration, why: String) -> Result<(), Breach> {
    Err(Breach::from(why).at(at))
}

/// An exchange in words, for example ``` `POST /orders 503` of api-1 to store at 1.2s ```.
pub(super) fn words(trace: &Trace, exchange: &Exchange) -> String {
    let (client, server) = (trace.name(exchange.client()), trace.name(exchange.server()));
    format!("`{exchange}` of {client} to {server} at {}", text(exchange.request.first_sent))
}

/// The time that a request states for itself.
pub(super) fn stated_timeout(exchange: &Exchange) -> Option<Duration> {
    if let Some(value) = exchange.header("grpc-timeout") {
        let (number, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
        let number: u64 = number.parse().ok()?;
        return Some(match unit {
            "H" => Duration::from_secs(number.saturating_mul(3_600)),
            "M" => Duration::from_secs(number.saturating_mul(60)),
            "S" => Duration::from_secs(number),
            "m" => Duration::from_millis(number),
            "u" => Duration::from_micros(number),
            "n" => Duration::from_nanos(number),
            _ => return None,
        });
    }
    let names = ["x-deadline-ms", "x-request-timeout-ms", "x-envoy-expected-rq-timeout-ms"];
    let stated = names.iter().find_map(|name| exchange.header(name))?;
    stated.parse().ok().map(Duration::from_millis)
}

/// How long the response of an exchange asks its client to wait before another attempt: by `Retry-After` in seconds, or by
/// `grpc-retry-pushback-ms` (gRPC A6).
pub(super) fn asked_wait(exchange: &Exchange) -> Option<Duration> {
    let response = exchange.response.as_ref()?;
    let number = |name: &str| response.header(name).and_then(|value| value.trim().parse().ok());
    number("retry-after")
        .map(Duration::from_secs)
        .or_else(|| number("grpc-retry-pushback-ms").map(Duration::from_millis))
}

/// Whether the whole response reports success.
pub(super) fn is_accepted(exchange: &Exchange) -> bool {
    let is_success = matches!(exchange.status, Some(200..=299)) && matches!(exchange.grpc_status, None | Some(0));
    is_success && exchange.is_complete()
}

/// The name of the group of a host: its own without a number at the end.
pub(super) fn group_of(trace: &Trace, host: HostId) -> &str {
    let name = trace.name(host);
    match name.rsplit_once('-') {
        Some((group, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => group,
        _ => name,
    }
}

/// Whether a host, or its group, has this name.
pub(super) fn is_named(trace: &Trace, host: HostId, name: &str) -> bool {
    trace.name(host) == name || group_of(trace, host) == name
}
