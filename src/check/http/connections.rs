//! Connections that are still good, and the right responses on them.

use super::observed::{check, words};
use super::policy::HttpPolicy;
use crate::check::Check;
use crate::fault::duration_text as text;

pub(super) fn mixed_up() -> Check {
    let needs = "no response repeats the `x-request-id` of its request";
    check("P5 responses belong to their requests", needs, |trace, judged| {
        for exchange in trace.exchanges() {
            let answered = exchange.response.as_ref().and_then(|response| response.header("x-request-id"));
            let (Some(asked), Some(answered)) = (exchange.header("x-request-id"), answered) else { continue };
            *judged += 1;
            if asked != answered {
                let what = words(trace, exchange);
                return Err(format!("P5: {what} has the id {asked}, and its response has {answered}"));
            }
        }
        Ok(())
    })
}

pub(super) fn closing(policy: HttpPolicy) -> Check {
    check("P1 closing connections are not used", "no request was sent", move |trace, judged| {
        for exchange in trace.exchanges() {
            *judged += 1;
            // A program sees what its machine has received only when it next looks.
            let seen = exchange.closing_since.filter(|since| *since + policy.slack < exchange.request.first_sent);
            if let Some(since) = seen {
                let (what, since) = (words(trace, exchange), text(since));
                return Err(format!(
                    "P1: {what} was sent on a connection that its client knew was closing since {since}"
                ));
            }
        }
        Ok(())
    })
}
