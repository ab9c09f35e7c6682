//! Requests whose bodies are whole.

use super::observed::{broken_at, check, end_of, words};
use crate::check::Check;

pub(super) fn truncated() -> Check {
    check("C3 truncated requests are not accepted", "no request has a body", |trace, judged| {
        for exchange in trace.exchanges() {
            let request = &exchange.request;
            if request.body_length == 0 && request.last_sent.is_some() {
                continue;
            }
            *judged += 1;
            if request.last_arrived.is_none() && matches!(exchange.status, Some(200..=299)) {
                let (what, sent) = (words(trace, exchange), request.body_length);
                let why = match request.last_sent {
                    None => format!("C3: {what} was accepted, although its body was cut off after {sent} B"),
                    Some(_) => format!("C3: {what} was accepted, although not all of its {sent} B arrived"),
                };
                return broken_at(end_of(exchange), why);
            }
        }
        Ok(())
    })
}
