//! An api server drops the deadline of its caller, and gives the store its own limit instead.

use std::sync::Arc;

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::timeouts;
use crate::shop::message::DEADLINE_HEADER;
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("deadline_not_passed_on", timeouts::with, |setup| setup.api.serve.layer = Some(without_deadline))
        .breaks("T3")
        .in_part("the api servers' requests to the store")
}

fn without_deadline() -> Layer {
    Arc::new(|mut request, routes| {
        request.headers_mut().remove(DEADLINE_HEADER);
        routes(request)
    })
}
