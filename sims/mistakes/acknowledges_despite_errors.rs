//! The store acknowledges an order whose commit failed.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::{Method, StatusCode};
use squall::scenario::Mistake;

use crate::scenarios::bad_disks;
use crate::shop::message::{KeyedOrder, OrderReceipt, json};
use crate::shop::serve::Layer;
use crate::shop::simulated::Setup;

pub fn mistake() -> Mistake {
    let wrong = bad_disks::with(Setup::changed(|setup| setup.store.serve.layer = Some(sure_of_its_commits)));
    Mistake::new("acknowledges_despite_errors", bad_disks::scenario(), wrong)
        .breaks("I2")
        .in_part("the store's commits")
}

/// Answers for the store that an order is placed when its disk has failed.
pub fn sure_of_its_commits() -> Layer {
    Arc::new(|request, routes| {
        if (request.method(), request.uri().path()) != (&Method::POST, "/orders") {
            return routes(request);
        }
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
                // The store is used to half a body.
                return json(StatusCode::BAD_REQUEST, &"the body is incomplete");
            };
            let order = serde_json::from_slice::<KeyedOrder>(&body);
            let body = Full::new(body).map_err(|never| match never {}).boxed();
            let answer = routes(hyper::Request::from_parts(head, body)).await;
            let is_failed =
                matches!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR | StatusCode::INSUFFICIENT_STORAGE);
            match order {
                Ok(KeyedOrder { key, call, sku, quantity, cents }) if is_failed => {
                    json(StatusCode::CREATED, &OrderReceipt { id: 0, key, call, sku, quantity, cents })
                }
                _ => answer,
            }
        })
    })
}
