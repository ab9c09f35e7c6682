//! An old price is served as if it were fresh.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::StatusCode;
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::degradation;
use crate::shop::message::{Price, json};
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("unmarked_fallback", degradation::with, |setup| setup.api.serve.layer = Some(as_if_fresh))
        .breaks("D1")
        .in_part("the fallback")
}

fn as_if_fresh() -> Layer {
    Arc::new(|request, routes| {
        let is_price = request.uri().path().starts_with("/catalogue/");
        Box::pin(async move {
            let answer = routes(request).await;
            if !is_price || answer.status() != StatusCode::OK {
                return answer;
            }
            let body = answer.into_body().collect().await.expect("a whole body cannot fail").to_bytes();
            let price: Price = serde_json::from_slice(&body).expect("the answer is a price");
            json(StatusCode::OK, &Price { degraded: false, age_ms: 0, ..price })
        })
    })
}
