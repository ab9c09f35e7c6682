//! Answers are remembered by their idempotency keys alone, so that another order under a key gets the answer of the first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Bytes;
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::idempotency;
use crate::shop::message::{KEY_HEADER, json_bytes};
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("key_without_the_body", idempotency::with, |setup| setup.gateway.serve.layer = Some(remembering))
        .breaks("I3")
        .in_part("the gateway's memory of keys")
}

fn remembering() -> Layer {
    let answers: Arc<Mutex<BTreeMap<String, (StatusCode, Bytes)>>> = Arc::default();
    Arc::new(move |request, routes| {
        let answers = answers.clone();
        let key = request.headers().get(KEY_HEADER).and_then(|key| key.to_str().ok()).map(str::to_owned);
        Box::pin(async move {
            let Some(key) = key else { return routes(request).await };
            let known = answers.lock().expect("no holder of the answers panics").get(&key).cloned();
            if let Some((status, body)) = known {
                return json_bytes(status, body);
            }
            let answer = routes(request).await;
            if !answer.status().is_success() {
                return answer;
            }
            let (status, body) = (answer.status(), answer.into_body());
            let body = body.collect().await.expect("a whole body cannot fail").to_bytes();
            answers.lock().expect("no holder of the answers panics").insert(key, (status, body.clone()));
            json_bytes(status, body)
        })
    })
}
