//! A gateway remembers answers by their paths for a second, also those that depend on who asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use squall::scenario::Mistake;
use tokio::time::Instant;

use super::changed;
use crate::scenarios::sessions;
use crate::shop::message::json_bytes;
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("cache_ignores_who_asks", sessions::with, |setup| setup.gateway.serve.layer = Some(remembering))
        .breaks("P5")
        .in_part("the gateway's memory of answers")
}

fn remembering() -> Layer {
    let answers: Arc<Mutex<BTreeMap<String, (Instant, Bytes)>>> = Arc::default();
    Arc::new(move |request, routes| {
        let (answers, path) = (answers.clone(), request.uri().path().to_owned());
        let is_read = *request.method() == Method::GET;
        Box::pin(async move {
            let known = answers.lock().expect("no holder of the answers panics").get(&path).cloned();
            if let Some((at, body)) = known
                && is_read
                && at.elapsed() < Duration::from_secs(1)
            {
                return json_bytes(StatusCode::OK, body);
            }
            let answer = routes(request).await;
            if !is_read || answer.status() != StatusCode::OK {
                return answer;
            }
            let body = answer.into_body().collect().await.expect("a whole body cannot fail").to_bytes();
            answers.lock().expect("no holder of the answers panics").insert(path, (Instant::now(), body.clone()));
            json_bytes(StatusCode::OK, body)
        })
    })
}
