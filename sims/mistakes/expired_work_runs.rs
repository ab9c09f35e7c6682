//! A server lets everybody wait, and serves them all in tasks of their own that know no deadline and do not notice that a
//! caller has gone, so that it is busy with a rush long after the rush is over.

use std::sync::Arc;
use std::time::Duration;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::overload;
use crate::shop::message::DEADLINE_HEADER;
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("expired_work_runs", overload::with, |setup| {
        setup.api.admission.queue = usize::MAX;
        setup.api.request_limit = Duration::from_secs(60);
        setup.api.serve.layer = Some(in_tasks);
    })
    .breaks("O2")
    .in_part("the queue of the api servers")
}

fn in_tasks() -> Layer {
    Arc::new(|mut request, routes| {
        request.headers_mut().remove(DEADLINE_HEADER);
        let answering = tokio::spawn(routes(request));
        Box::pin(async move { answering.await.expect("the routes do not panic") })
    })
}
