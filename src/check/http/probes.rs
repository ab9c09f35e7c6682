//! What probes of a server's health are answered.

use super::observed::{broken_at, check, words};
use super::policy::HttpPolicy;
use crate::check::Check;
use crate::trace::{Event, HostId, Trace};

pub(super) fn liveness(policy: HttpPolicy) -> Check {
    let needs = "no probe of a server's liveness was answered";
    check("H5 liveness depends on nobody", needs, move |trace, judged| {
        for exchange in trace.exchanges() {
            let (Some(status), Some(response)) = (exchange.status, &exchange.response) else { continue };
            if !policy.is_probe(exchange) || exchange.path_only().contains("ready") {
                continue;
            }
            *judged += 1;
            if status >= 500 && !was_asked_to_stop(trace, exchange.server(), response.first_sent) {
                let what = words(trace, exchange);
                return broken_at(
                    response.first_sent,
                    format!("H5: {what} was answered with an error by a server that lives"),
                );
            }
        }
        Ok(())
    })
}

/// Whether the process that ran on a host at this time had been asked to stop.
fn was_asked_to_stop(trace: &Trace, host: HostId, at: std::time::Duration) -> bool {
    let mut own = trace.records.iter().filter(|record| record.host == Some(host) && record.at <= at);
    let last = own.rfind(|record| matches!(record.event, Event::Started | Event::Stopping));
    last.is_some_and(|record| record.event == Event::Stopping)
}
