//! A server answers each request in a task of its own, which does not notice that its caller has gone.

use std::sync::Arc;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::clients_that_leave;
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("work_outlives_its_caller", clients_that_leave::with, |setup| setup.api.serve.layer = Some(in_tasks))
        .breaks("P3")
        .in_part("the api servers' work for callers that have gone")
}

fn in_tasks() -> Layer {
    Arc::new(|request, routes| {
        let answering = tokio::spawn(routes(request));
        Box::pin(async move { answering.await.expect("the routes do not panic") })
    })
}
