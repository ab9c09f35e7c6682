//! A store builds each record in a buffer that all requests share, field by field, and waits in between.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Method;
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::bad_disks;
use crate::shop::message::{Expiry, KeyedOrder, read_body};
use crate::shop::serve::Layer;

pub fn mistake() -> Mistake {
    changed("orders_share_a_buffer", bad_disks::with, |setup| setup.store.serve.layer = Some(buffered))
        .breaks("C4")
        .in_part("how the store builds its records")
}

fn buffered() -> Layer {
    let buffer: Arc<Mutex<(String, u32)>> = Arc::default();
    Arc::new(move |request, routes| {
        let buffer = buffer.clone();
        Box::pin(async move {
            if *request.method() != Method::POST {
                return routes(request).await;
            }
            let (parts, body) = request.into_parts();
            let expiry = Expiry::from_headers(&parts.headers, Duration::from_secs(5));
            let body = match read_body(body, expiry).await {
                Ok(body) => body,
                Err(answer) => return answer,
            };
            let mut order: KeyedOrder = serde_json::from_slice(&body).expect("the api servers send orders");
            buffer.lock().expect("no holder of the buffer panics").0 = order.sku;
            tokio::time::sleep(Duration::from_millis(5)).await;
            buffer.lock().expect("no holder of the buffer panics").1 = order.quantity;
            (order.sku, order.quantity) = buffer.lock().expect("no holder of the buffer panics").clone();
            let body = serde_json::to_vec(&order).expect("an order serializes to JSON");
            let body = Full::from(body).map_err(|never| match never {}).boxed();
            routes(hyper::Request::from_parts(parts, body)).await
        })
    })
}
