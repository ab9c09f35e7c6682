//! A server that cannot reach the store acknowledges an order nevertheless, as if somebody would place it later.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::idempotency;
use crate::shop::message::{OrderReceipt, json};
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("accepts_without_the_store", idempotency::with, |setup| setup.api.serve.layer = Some(sure_of_the_store))
        .breaks("D2")
        .in_part("the api servers' answers when the store is away")
}

fn sure_of_the_store() -> Layer {
    Arc::new(|request, routes| {
        let is_order = request.method() == Method::POST && request.uri().path() == "/orders";
        Box::pin(async move {
            let answer = routes(request).await;
            if !is_order || answer.status() != StatusCode::SERVICE_UNAVAILABLE {
                return answer;
            }
            let (key, call, sku) = Default::default();
            json(StatusCode::ACCEPTED, &OrderReceipt { id: 0, key, call, sku, quantity: 1, cents: None })
        })
    })
}
