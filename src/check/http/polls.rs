//! How often the same is asked.

use std::collections::{BTreeMap, VecDeque};

use super::observed::{broken_at, check, words};
use super::policy::HttpPolicy;
use crate::check::Check;
use crate::fault::duration_text as text;

pub(super) fn bounded(policy: HttpPolicy) -> Check {
    check("P6 polls are bounded", "no request was sent", move |trace, judged| {
        let mut sent: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        for exchange in trace.exchanges() {
            *judged += 1;
            let (began, body) = (exchange.request.first_sent, exchange.request.body_digest);
            let (client, server) = (exchange.client(), exchange.server());
            // What one may see is not what another may see.
            let who = exchange.header("authorization");
            let same = sent.entry((client, server, &exchange.method, &exchange.path, body, who)).or_default();
            same.push_back(began);
            while same.front().is_some_and(|first| *first + policy.poll_window <= began) {
                same.pop_front();
            }
            if same.len() > policy.most_polls as usize {
                let (what, count, most) = (words(trace, exchange), same.len(), policy.most_polls);
                let window = text(policy.poll_window);
                return broken_at(
                    began,
                    format!("P6: {what} is request {count} for the same within {window}; the limit is {most}"),
                );
            }
        }
        Ok(())
    })
}
