//! A gateway joins equal reads that are in flight, and takes those to be equal that have the same path, whoever asks.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::body::Bytes;
use hyper::http::response::Parts;
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::sessions;
use crate::shop::coalesce::Coalescing;
use crate::shop::message::Answer;
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("coalesces_by_path_alone", sessions::with, |setup| setup.gateway.serve.layer = Some(joining))
        .breaks("P5")
        .breaks("X2")
        .in_part("the reads that the gateway joins")
}

fn joining() -> Layer {
    let flights: Arc<Coalescing<String, (Parts, Bytes)>> = Arc::default();
    Arc::new(move |request, routes| {
        if *request.method() != Method::GET {
            return routes(request);
        }
        let path = request.uri().path().to_owned();
        let flight = flights.join(path, || {
            Box::pin(async move {
                let (parts, body) = routes(request).await.into_parts();
                (parts, body.collect().await.expect("a whole body cannot fail").to_bytes())
            })
        });
        Box::pin(async move {
            let (parts, body) = flight.await;
            Answer::from_parts(parts, Full::new(body))
        })
    })
}
