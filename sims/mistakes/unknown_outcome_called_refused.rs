//! A server says that it has refused what may have been done: it makes 503 of 502 and 504.

use std::sync::Arc;

use hyper::StatusCode;
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::lost_answers;
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("unknown_outcome_called_refused", lost_answers::with, |setup| setup.api.serve.layer = Some(refusing))
        .breaks("I4")
        .in_part("the api servers' answers about what they do not know")
}

fn refusing() -> Layer {
    Arc::new(|request, routes| {
        Box::pin(async move {
            let mut answer = routes(request).await;
            if matches!(answer.status(), StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT) {
                *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            answer
        })
    })
}
