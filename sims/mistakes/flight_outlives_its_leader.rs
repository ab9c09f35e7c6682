//! An api server joins equal questions for prices: the first asks, and the others wait for it. When the first goes away before it
//! has the answer, nobody takes the question out of the table, and whoever asks the same waits for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::http::response::Parts;
use squall::scenario::Mistake;
use tokio::sync::watch;

use super::changed;
use crate::scenarios::degradation;
use crate::shop::message::Answer;
use crate::shop::serve::Layer;

type Flight = Arc<watch::Sender<Option<(Parts, Bytes)>>>;

pub fn mistake() -> Mistake {
    changed("flight_outlives_its_leader", degradation::with, |setup| setup.api.serve.layer = Some(joining))
        .breaks("recovers in time")
        .in_part("the questions for prices that the api servers join")
}

fn joining() -> Layer {
    let flights: Arc<Mutex<BTreeMap<String, Flight>>> = Arc::default();
    Arc::new(move |request, routes| {
        let path = request.uri().path().to_owned();
        if !path.starts_with("/catalogue/") {
            return routes(request);
        }
        let flights = flights.clone();
        Box::pin(async move {
            let known = flights.lock().expect("no holder of the flights panics").get(&path).cloned();
            if let Some(flight) = known {
                let mut answers = flight.subscribe();
                let answered = answers.wait_for(Option::is_some).await.expect("this task holds the sender");
                let (parts, body) = answered.clone().expect("it waited for that");
                drop(answered);
                return Answer::from_parts(parts, Full::new(body));
            }
            let flight: Flight = Arc::new(watch::Sender::new(None));
            flights.lock().expect("no holder of the flights panics").insert(path.clone(), flight.clone());
            let (parts, body) = routes(request).await.into_parts();
            let body = body.collect().await.expect("a whole body cannot fail").to_bytes();
            flight.send_replace(Some((parts.clone(), body.clone())));
            flights.lock().expect("no holder of the flights panics").remove(&path);
            Answer::from_parts(parts, Full::new(body))
        })
    })
}
